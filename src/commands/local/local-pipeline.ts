import { join } from 'node:path';
import type { Log } from '../../model/log.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import { openLayoutStore } from '../../registry/oci-layout-store.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { RecordFolder } from '../../storage/record-folder.ts';
import { createMetrics } from '../../telemetry/metrics.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import {
  buildPolicyOf,
  createAttestationParts,
  createRegistries,
  createStatementSources,
  hostTrustOf,
} from '../wiring/attestation.ts';
import { createBomGenerator } from '../wiring/sbom.ts';
import type { Environment } from '../wiring/cluster.ts';
import { Dispatchers } from '../wiring/dispatchers.ts';
import { ScopedStore } from '../wiring/evidence-store.ts';
import type { StoreAddress } from '../wiring/evidence-store.ts';
import { trustedFilesOf } from '../wiring/process-log.ts';
import { processCredentials } from '../wiring/run-credentials.ts';
import { createSigner } from '../wiring/signer.ts';
import type { GivenSecrets } from '../wiring/signer.ts';
import { SigningServices } from '../wiring/signing-services.ts';
import { CurrentTrustRoot } from '../wiring/trust.ts';
import { packageVersion } from '../wiring/version.ts';
import { LocalSigning } from './local-signing.ts';
import { RunCatalogue } from './run-catalogue.ts';
import { RunFolder } from './run-folder.ts';
import { RunStatusFolder } from './run-status-file.ts';

/** What the pipeline without a cluster is made from. */
export interface LocalPipelineOptions {
  readonly settings: Settings;
  readonly environment: Environment;
  /** Folder with TaskRuns; absolute. */
  readonly taskRuns: string;
  /** Folder for what is kept of them; absolute. */
  readonly state: string;
  readonly store: StoreAddress;
  readonly secrets: GivenSecrets;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Takes what has to be closed at the end. */
  readonly closing: AsyncDisposableStack;
}

/** The parts that signing runs of files needs, once or for ever. */
export interface LocalPipeline {
  readonly folder: RunFolder;
  readonly catalogue: RunCatalogue;
  readonly signing: LocalSigning;
  readonly store: ImageStore;
}

/** Connects the parts. Throws ERR_TRUST_ROOT, ERR_SETTINGS_SIGNER, ERR_REGISTRY_LAYOUT, and what reading a key throws. */
export async function openLocalPipeline(options: LocalPipelineOptions): Promise<LocalPipeline> {
  const { settings, environment, taskRuns, state, secrets, log, signal, closing } = options;
  const clock = systemClock;
  const metrics = createMetrics({ version: packageVersion() });
  const dispatchers = closing.use(
    await Dispatchers.open({ caFiles: trustedFilesOf(environment), hosts: hostTrustOf(settings) }),
  );
  const store = await openStore(options, dispatchers);
  const trust = await CurrentTrustRoot.open(settings, { clock, log, signal });
  if (trust.latest === undefined && settings.log.enabled)
    log.warn('no trust root: the log key is pinned at first use', {});
  const services = new SigningServices({ settings, clock, log });
  const signer = await createSigner({ settings, services, dispatchers, clock, secrets, signal });
  const records = new RecordFolder(join(state, 'records'));
  const parts = { settings, services, dispatchers, signer, trust, records, metrics, clock, log };
  const generator = settings.sbom.enabled
    ? closing.use(createBomGenerator(settings, packageVersion()))
    : undefined;
  const catalogue = new RunCatalogue();
  const attestation = createAttestationParts(parts);
  await attestation.witnesses.current({ signal });
  const signing = new LocalSigning({
    catalogue,
    statuses: new RunStatusFolder(join(state, 'runs')),
    attestation,
    policy: buildPolicyOf(settings),
    sources: createStatementSources(settings, generator, log),
    store,
    managedBy: settings.controller.managedBy,
    metrics,
    log,
  });
  const layouts = options.store.kind === 'oci-layout' ? [options.store.folder] : [];
  return { folder: new RunFolder(taskRuns, [state, ...layouts]), catalogue, signing, store };
}

async function openStore(
  { store: address, settings, environment }: LocalPipelineOptions,
  dispatchers: Dispatchers,
): Promise<ImageStore> {
  if (address.kind === 'oci-layout') return openLayoutStore(address.folder, systemClock);
  const registries = createRegistries(settings, dispatchers, systemClock);
  const { repository } = settings.storage;
  return new ScopedStore(registries.withCredentials(processCredentials(environment)), [
    address.prefix,
    ...(repository === undefined ? [] : [repository]),
  ]);
}
