import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, isAppError } from '../../model/errors.ts';
import { formatRepository } from '../../model/image-reference.ts';
import { attachmentTag } from '../../registry/attachments-by-tag.ts';
import { exactly } from '../../signing/certificate-identity.ts';
import { encodeEnvelope, parseEnvelope } from '../../statements/dsse.ts';
import { encodeStatement, parseStatement } from '../../statements/statement.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import { developmentLabel } from '../development-sigstore/development-sigstore.ts';
import { formatTable } from '../wiring/table.ts';
import { listAttestedComponents } from './attested-components.ts';
import { builderId, demoPaths, imageTag, pipelineIdentity } from './demo-scene.ts';
import type { DemoScene } from './demo-scene.ts';
import { readEvidenceOf, verifyEvidence } from './image-evidence.ts';
import type { EvidenceCheck, FoundEvidence } from './image-evidence.ts';
import { judgeImages } from './judge-images.ts';
import { makeSampleImage, pushSampleImage } from './sample-image.ts';
import { sampleTaskRun } from './sample-run.ts';

/** What one step tells: a heading, and lines below it. */
export interface StepAccount {
  readonly title: string;
  readonly lines: readonly string[];
}

/** One step of the demo. Throws if what it shows is not so. */
export type DemoStep = (scene: DemoScene) => Promise<StepAccount>;

/** The steps in their order; each takes the scene as the ones before left it. */
export const demoSteps: readonly DemoStep[] = [
  introduceSigstore,
  pushImage,
  dropTaskRun,
  awaitSigned,
  verifyEverything,
  showComponents,
  showRefusals,
  judgeByRunbook,
  showResults,
];

const runFile = 'example-build.yaml';
const signingDeadlineMs = 60_000;

function introduceSigstore({ sigstore }: DemoScene): Promise<StepAccount> {
  return Promise.resolve({
    title: 'A Sigstore for development runs inside this process',
    lines: [
      `${developmentLabel}.`,
      `Fulcio, its certificate log and Rekor at ${sigstore.fulcioUrl}; trust root in ${demoPaths.trustedRoot}`,
    ],
  });
}

async function pushImage({ store, image, sample, signal }: DemoScene): Promise<StepAccount> {
  await pushSampleImage(store, { repository: image.repository, tag: imageTag }, sample, { signal });
  return {
    title: `An image lies in ${demoPaths.layout}, an OCI layout folder that plays the registry`,
    lines: [`${formatRepository(image.repository)}:${imageTag}`, image.digest],
  };
}

async function dropTaskRun({ image, watch }: DemoScene): Promise<StepAccount> {
  watch();
  const text = sampleTaskRun({
    name: 'example-build',
    image: `${formatRepository(image.repository)}:${imageTag}`,
    digest: image.digest,
    completedAt: systemClock.now(),
  });
  // As anybody should: whole or not at all.
  const draft = join(demoPaths.taskRuns, `.${runFile}`);
  await writeFile(draft, text);
  await rename(draft, join(demoPaths.taskRuns, runFile));
  return {
    title: `${demoPaths.taskRuns} is watched, and a finished TaskRun is dropped into it`,
    lines: [`${join(demoPaths.taskRuns, runFile)} names the image in its results IMAGE_URL and IMAGE_DIGEST`],
  };
}

async function awaitSigned({ result, signal }: DemoScene): Promise<StepAccount> {
  const limit = new AbortController();
  const overdue = systemClock
    .sleep(signingDeadlineMs, AbortSignal.any([signal, limit.signal]))
    .then(() => ({ outcome: 'not signed in time', fault: undefined, record: undefined }));
  const { outcome, fault, record } = await Promise.race([result, overdue]);
  limit.abort();
  await overdue.catch(() => undefined);
  if (outcome !== 'signed' || record === undefined) throw broken(`the run is ${outcome}: ${fault ?? ''}`);
  const rows = record.artifacts.map(({ kind, layout, entry }) => [
    kind,
    layout === 'shared' ? 'tag and referrer' : layout,
    `log index ${entry?.logIndex ?? 'none'}`,
  ]);
  return {
    title: 'The run is signed with one ten-minute certificate; each signature is logged',
    lines: formatTable(['SIGNED', 'FOR', 'LOGGED'], rows).split('\n'),
  };
}

async function verifyEverything({ store, image, check, signal }: DemoScene): Promise<StepAccount> {
  const found = await readEvidenceOf(store, image, { signal });
  const rows = found.map((item) => {
    const { name, logEntries, signer } = verifyEvidence(item, check);
    if (signer.kind !== 'certificate') throw broken('it was signed with a bare key');
    return [name, item.layout, `log index ${logEntries[0]?.logIndex ?? 'none'}`, 'verified'];
  });
  const sought = ['signature', 'provenance', 'SBOM'].flatMap((name) => [`${name} tag`, `${name} referrer`]);
  const missing = sought.find((what) => !rows.some(([name, layout]) => `${name} ${layout}` === what));
  if (missing !== undefined) throw broken(`there is no ${missing}`);
  return {
    title: 'All of it is read back and verified: signature, certificate chain, identity, log entry, image',
    lines: [
      `by ${pipelineIdentity}`,
      ...formatTable(['EVIDENCE', 'FOUND AS', 'LOGGED', 'RESULT'], rows).split('\n'),
    ],
  };
}

async function showComponents({ store, image, check, signal }: DemoScene): Promise<StepAccount> {
  const lines = listAttestedComponents(await readEvidenceOf(store, image, { signal }), check);
  if (lines === undefined) throw broken('there is no SBOM');
  return { title: 'What is in the image, by its verified SBOM (CycloneDX 1.6)', lines };
}

async function showRefusals({ store, image, check, signal, sigstore }: DemoScene): Promise<StepAccount> {
  const found = await readEvidenceOf(store, image, { signal });
  const changed = await makeSampleImage('Hello from the Golem Trust!');
  const beside = await readEvidenceOf(store, { ...image, digest: changed.digest }, { signal });
  if (beside.length > 0) throw broken('the changed image has evidence');
  const somebody = `${pipelineIdentity}-of-somebody-else`;
  const identity = { issuer: exactly(sigstore.issuer), subject: exactly(somebody) };
  const attempts: readonly (readonly [string, readonly FoundEvidence[], EvidenceCheck])[] = [
    ['image with one byte more', found, { ...check, digest: changed.digest }],
    ['another identity expected', found, { ...check, signer: { kind: 'identity', anyOf: [identity] } }],
    ['provenance names another builder', found.flatMap(forgeBuilder), check],
  ];
  const rows = attempts.map(([what, items, asked]) => [what, 'refused', refusalOf(items, asked)]);
  return {
    title: 'What is not right is refused',
    lines: formatTable(['ATTEMPT', 'RESULT', 'WHY'], rows).split('\n'),
  };
}

async function judgeByRunbook(scene: DemoScene): Promise<StepAccount> {
  const { signed, unsigned, message } = await judgeImages(scene);
  if (signed.outcome !== 'admitted') throw broken('the policy keeps the signed image out');
  if (unsigned.outcome !== 'denied') throw broken('the policy lets the unsigned image in');
  const rows = [signed, unsigned].map(({ image, outcome, policies }) => {
    const checks = policies.flatMap(({ authorities }) => authorities.flatMap((one) => one.checks));
    return [
      image.replace(/^.*\//, ''),
      outcome,
      checks.map((one) => `${one.check} ${one.outcome}`).join(', '),
    ];
  });
  return {
    title: `The runbook's policy (${demoPaths.policy}) lets the signed image in, and keeps an unsigned one out`,
    lines: [...formatTable(['IMAGE', 'OUTCOME', 'CHECKS'], rows).split('\n'), ...wrap(message)],
  };
}

const lineLength = 112;

function wrap(text: string): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length >= lineLength) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

function showResults({ image }: DemoScene): Promise<StepAccount> {
  const index = join(demoPaths.layout, 'index.json');
  return Promise.resolve({
    title: 'Where the results lie',
    lines: [
      `${index}: the image, its tags ${attachmentTag(image.digest, 'sig').slice(0, 15)}….sig and .att, its bundles`,
      `${join(demoPaths.state, 'runs/ci/example-build.json')}: the annotations that the TaskRun would get`,
      `${join(demoPaths.state, 'records/ci')}: its SigningRecord; ${demoPaths.log}: the pipeline's log`,
    ],
  });
}

/** The code with which every one of `items` is refused. */
function refusalOf(items: readonly FoundEvidence[], check: EvidenceCheck): string {
  const codes = items.map((item) => {
    try {
      verifyEvidence(item, check);
    } catch (error) {
      if (isAppError(error)) return error.code;
      throw error;
    }
    throw broken('something was accepted that must be refused');
  });
  if (codes.length === 0) throw broken('there is nothing to refuse');
  return [...new Set(codes)].join(', ');
}

/** The provenance under the tag, with another builder in its payload and the signature left as it was. */
function forgeBuilder({ evidence, layout }: FoundEvidence): readonly FoundEvidence[] {
  if (evidence.layout !== 'tag' || !Buffer.from(evidence.content).includes('payloadType')) return [];
  const envelope = parseEnvelope(evidence.content);
  const statement = parseStatement(envelope.payload);
  const { builder } = statement.predicate;
  if (builder === undefined) return [];
  const predicate = { ...statement.predicate, builder: { id: `${builderId}-forged` } };
  const payload = encodeStatement({ ...statement, predicate });
  return [{ layout, evidence: { ...evidence, content: encodeEnvelope({ ...envelope, payload }) } }];
}

function broken(what: string): AppError {
  return new AppError('ERR_DEMO', `the demo went wrong: ${what}`, {
    kind: 'permanent',
    object: demoPaths.log,
    remedy: `Look into ${demoPaths.log}.`,
  });
}
