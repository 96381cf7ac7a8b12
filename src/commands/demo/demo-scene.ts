import { createWriteStream } from 'node:fs';
import { access, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../model/errors.ts';
import { parseRepository } from '../../model/image-reference.ts';
import type { PinnedImage } from '../../model/image-reference.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import { resolveSettings } from '../../settings/resolution.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { exactly, matching } from '../../signing/certificate-identity.ts';
import { loadTrustRoot } from '../../signing/trust-root.ts';
import { createLog } from '../../telemetry/logger.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import { startDevelopmentSigstore } from '../development-sigstore/development-sigstore.ts';
import type { DevelopmentSigstore } from '../development-sigstore/development-sigstore.ts';
import { openLocalPipeline } from '../local/local-pipeline.ts';
import type { RunResult } from '../local/local-signing.ts';
import { watchRuns } from '../local/watch-runs.ts';
import type { EvidenceCheck } from './image-evidence.ts';
import { makeSampleImage } from './sample-image.ts';
import type { SampleImage } from './sample-image.ts';

/** Where the demo's things lie, relative to the folder that it was started in. */
export const demoPaths = {
  root: '.demo',
  marker: '.demo/made-by-chainwright-demo',
  layout: '.demo/registry',
  taskRuns: '.demo/taskruns',
  state: '.demo/state',
  trustedRoot: '.demo/trusted_root.json',
  policy: '.demo/policy.yaml',
  log: '.demo/pipeline.log',
} as const;

/** The identity of the runbook. */
export const pipelineIdentity =
  'https://kubernetes.golems.internal/namespaces/tekton-chains/serviceaccounts/tekton-chains-controller';
export const builderId = 'https://tekton.golems.internal/chains/v2';
export const imageTag = '1.4.0';

/** Everything that the steps of the demo act on. */
export interface DemoScene {
  readonly sigstore: DevelopmentSigstore;
  readonly store: ImageStore;
  readonly sample: SampleImage;
  readonly image: PinnedImage;
  /** The expectations of the runbook, against the development trust root. */
  readonly check: EvidenceCheck;
  /** Starts the pipeline; it ends with the scene. */
  readonly watch: () => void;
  /** What became of the first run. */
  readonly result: Promise<RunResult>;
  readonly signal: AbortSignal;
}

/** Wipes the demo's folder and prepares all parts. Throws ERR_USAGE_DEMO_FOLDER for a folder that it did not make. */
export async function openDemoScene(closing: AsyncDisposableStack, signal: AbortSignal): Promise<DemoScene> {
  await renewFolder();
  const sigstore = closing.use(await startDevelopmentSigstore());
  await writeFile(demoPaths.trustedRoot, `${JSON.stringify(sigstore.trustedRoot, undefined, 2)}\n`);
  const settings = settingsFor(sigstore);
  const log = createLog({
    level: 'debug',
    format: 'json',
    stream: createWriteStream(demoPaths.log),
    clock: systemClock,
  });
  closing.defer(() => log.close());
  const pipeline = await openLocalPipeline({
    settings,
    environment: {},
    taskRuns: join(process.cwd(), demoPaths.taskRuns),
    state: join(process.cwd(), demoPaths.state),
    store: { kind: 'oci-layout', folder: join(process.cwd(), demoPaths.layout) },
    secrets: { identityToken: await sigstore.issueToken() },
    log,
    signal,
    closing,
  });
  const first = Promise.withResolvers<RunResult>();
  const watch = (): void => {
    const stopping = new AbortController();
    const work = watchRuns(
      { ...pipeline, settings: settings.controller, clock: systemClock, log, onResult: first.resolve },
      { signal: AbortSignal.any([signal, stopping.signal]) },
    );
    work.catch(first.reject);
    closing.defer(async () => {
      stopping.abort();
      await work.catch(() => undefined);
    });
  };
  const sample = await makeSampleImage('Hello from the Golem Trust');
  const image = {
    repository: parseRepository('harbor.golems.internal/golem-trust/example-service'),
    digest: sample.digest,
  };
  const check = await checkFor(sigstore, sample, signal);
  return { sigstore, store: pipeline.store, sample, image, check, watch, result: first.promise, signal };
}

async function checkFor(
  { issuer }: DevelopmentSigstore,
  { digest }: SampleImage,
  signal: AbortSignal,
): Promise<EvidenceCheck> {
  return {
    digest,
    signer: { kind: 'identity', anyOf: [{ issuer: exactly(issuer), subject: matching(pipelineIdentity) }] },
    demands: {
      trustRoot: await loadTrustRoot(demoPaths.trustedRoot, { signal }),
      witness: 'log',
      requireSct: true,
      at: systemClock.now(),
    },
  };
}

function settingsFor({ fulcioUrl, rekorUrl, issuer }: DevelopmentSigstore): Settings {
  const { settings } = resolveSettings({
    flags: {
      provenance: { builderId },
      signer: { fulcio: { url: fulcioUrl, issuer } },
      log: { url: rekorUrl },
      trustedRoot: { file: join(process.cwd(), demoPaths.trustedRoot) },
    },
  });
  return settings;
}

async function renewFolder(): Promise<void> {
  const entries = await readdir(demoPaths.root).catch(() => []);
  const isOurs = await access(demoPaths.marker).then(
    () => true,
    () => false,
  );
  if (entries.length > 0 && !isOurs) {
    throw new AppError(
      'ERR_USAGE_DEMO_FOLDER',
      `${demoPaths.root} holds something that the demo did not make`,
      {
        kind: 'permanent',
        object: demoPaths.root,
        remedy: 'Start the demo in another folder, or move that one away.',
      },
    );
  }
  await rm(demoPaths.root, { recursive: true, force: true });
  await mkdir(demoPaths.taskRuns, { recursive: true });
  await writeFile(demoPaths.marker, 'Wiped by the next "chainwright demo".\n');
}
