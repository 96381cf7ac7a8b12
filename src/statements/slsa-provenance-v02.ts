import type { BuildRun, ProvenanceInput } from './build-facts.ts';
import { predicateTypes, statementTypes } from './statement.ts';
import type { Statement } from './statement.ts';
import type { JsonObject, JsonValue } from './strict-json.ts';

const reproducibleLabel = 'chains.tekton.dev/reproducible';
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';
/** Annotations that signing itself writes: with them a second try would make another statement. */
const ownPrefixes = ['chains.tekton.dev/', 'chainwright.dev/'];

type Step = NonNullable<BuildRun['status']['taskSpec']>['steps'][number];

/**
 * The SLSA provenance v0.2 of a TaskRun, field by field as Chains' formats `in-toto` and `slsa/v1` have it
 * (https://slsa.dev/spec/v0.2/provenance). Where Chains gives up, a step that never started has no image here.
 */
export function buildProvenanceV02({ run, subjects, materials, builderId }: ProvenanceInput): Statement {
  return {
    _type: statementTypes.v01,
    subject: subjects.map(({ name, digest }) => ({ name, digest })),
    predicateType: predicateTypes.slsaProvenanceV02,
    predicate: {
      builder: { id: builderId },
      buildType: 'tekton.dev/v1/TaskRun',
      invocation: {
        configSource: configSourceOf(run),
        parameters: parametersOf(run),
        ...environmentOf(run),
      },
      buildConfig: { steps: run.status.steps.map((state) => stepOf(run, state)) },
      metadata: metadataOf(run),
      ...(materials.length === 0 ? {} : { materials: materials.map(({ uri, digest }) => ({ uri, digest })) }),
    },
  };
}

function configSourceOf(run: BuildRun): JsonObject {
  const source = run.status.provenance?.refSource;
  if (source === undefined) return {};
  return {
    ...(source.uri === '' ? {} : { uri: source.uri }),
    ...(Object.keys(source.digest).length === 0 ? {} : { digest: source.digest }),
    ...(source.entryPoint === '' ? {} : { entryPoint: source.entryPoint }),
  };
}

function parametersOf(run: BuildRun): JsonObject {
  const parameters = new Map<string, JsonValue>();
  for (const { name, default: value } of run.status.taskSpec?.params ?? []) {
    if (value !== undefined) parameters.set(name, value);
  }
  for (const { name, value } of run.spec.params) parameters.set(name, value);
  return Object.fromEntries(parameters);
}

function environmentOf(run: BuildRun): { readonly environment?: JsonObject } {
  const { labels } = run.metadata;
  const kept = Object.entries(run.metadata.annotations).filter(
    ([name]) => name !== lastApplied && !ownPrefixes.some((prefix) => name.startsWith(prefix)),
  );
  const environment: JsonObject = {
    ...(kept.length === 0 ? {} : { annotations: Object.fromEntries(kept) }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
  };
  return Object.keys(environment).length === 0 ? {} : { environment };
}

function stepOf(run: BuildRun, state: BuildRun['status']['steps'][number]): JsonObject {
  const step = findStep(run.status.taskSpec?.steps ?? [], state.name);
  const image = state.imageID.replace(/^docker-pullable:\/\//, '');
  return {
    entryPoint: step === undefined ? '' : step.script === '' ? step.command.join(' ') : step.script,
    arguments: step?.args ?? null,
    environment: { container: state.name, ...(image === '' ? {} : { image: `oci://${image}` }) },
    annotations: null,
  };
}

// Tekton calls the container of a step without a name by its place: unnamed-0 is the first step.
function findStep(steps: readonly Step[], name: string): Step | undefined {
  const named = steps.find((step) => step.name === name);
  const place = /^unnamed-(\d+)$/.exec(name)?.[1];
  if (named !== undefined || place === undefined) return named;
  const unnamed = steps[Number(place)];
  return unnamed?.name === '' ? unnamed : undefined;
}

function metadataOf(run: BuildRun): JsonObject {
  const { startTime, completionTime } = run.status;
  return {
    ...(startTime === undefined ? {} : { buildStartedOn: inWholeSeconds(startTime) }),
    ...(completionTime === undefined ? {} : { buildFinishedOn: inWholeSeconds(completionTime) }),
    completeness: { parameters: false, environment: false, materials: false },
    reproducible: run.metadata.labels[reproducibleLabel] === 'true',
  };
}

function inWholeSeconds(time: string): string {
  return new Date(time).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
