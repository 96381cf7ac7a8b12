import { objectIn } from '../../model/json-object.ts';
import type { JsonObject } from '../../model/json-object.ts';
import { predicateTypes } from '../../statements/statement.ts';
import type { Statement } from '../../statements/statement.ts';

/** What a provenance says of a build. */
export interface BuildSummary {
  readonly predicateType: string;
  readonly builderId: string;
  readonly buildType: string;
  /** `NAMESPACE/NAME` or the invocation's id, as far as it is told. */
  readonly run: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  /** Where the build's definition came from. */
  readonly definition: string;
  readonly sources: readonly { readonly uri: string; readonly digest: string }[];
}

const maxSources = 50;

/** Reads a SLSA provenance, v0.2 or v1; undefined for another predicate. What it does not say is `''`. */
export function summarizeBuild({ predicateType, predicate }: Statement): BuildSummary | undefined {
  switch (predicateType) {
    case predicateTypes.slsaProvenanceV02:
      return ofV02(predicate);
    case predicateTypes.slsaProvenanceV1:
      return ofV1(predicate);
    default:
      return undefined;
  }
}

function ofV02(predicate: JsonObject): BuildSummary {
  const invocation = objectIn(predicate['invocation']);
  const { labels } = objectIn(invocation['environment']);
  const metadata = objectIn(predicate['metadata']);
  const source = objectIn(invocation['configSource']);
  return {
    predicateType: predicateTypes.slsaProvenanceV02,
    builderId: textOf(objectIn(predicate['builder'])['id']),
    buildType: textOf(predicate['buildType']),
    run: runOf(objectIn(labels)) || textOf(metadata['buildInvocationID']),
    startedAt: textOf(metadata['buildStartedOn']),
    finishedAt: textOf(metadata['buildFinishedOn']),
    definition: [textOf(source['uri']), digestIn(source['digest']), textOf(source['entryPoint'])]
      .filter((part) => part !== '')
      .join(' '),
    sources: sourcesOf(predicate['materials']),
  };
}

function ofV1(predicate: JsonObject): BuildSummary {
  const definition = objectIn(predicate['buildDefinition']);
  const details = objectIn(predicate['runDetails']);
  const metadata = objectIn(details['metadata']);
  const parameters = objectIn(definition['externalParameters']);
  return {
    predicateType: predicateTypes.slsaProvenanceV1,
    builderId: textOf(objectIn(details['builder'])['id']),
    buildType: textOf(definition['buildType']),
    run: textOf(metadata['invocationId']) || textOf(metadata['invocationID']),
    startedAt: textOf(metadata['startedOn']),
    finishedAt: textOf(metadata['finishedOn']),
    definition: textOf(objectIn(parameters['workflow'])['ref']),
    sources: sourcesOf(definition['resolvedDependencies']),
  };
}

/** Tekton's labels name the run; the PipelineRun says more than its TaskRun. */
function runOf(labels: JsonObject): string {
  const pipeline = textOf(labels['tekton.dev/pipelineRun']);
  const task = textOf(labels['tekton.dev/taskRun']) || textOf(labels['tekton.dev/task']);
  if (pipeline !== '') return task === '' ? pipeline : `${pipeline} (${task})`;
  return task;
}

function sourcesOf(list: unknown): BuildSummary['sources'] {
  const items = Array.isArray(list) ? list.slice(0, maxSources).map(objectIn) : [];
  return items.map(({ uri, digest }) => ({ uri: textOf(uri), digest: digestIn(digest) }));
}

function digestIn(digest: unknown): string {
  const [first] = Object.entries(objectIn(digest));
  return first === undefined ? '' : `${first[0]}:${textOf(first[1])}`;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 1000) : '';
}
