import type { BomMaker } from '../../sbom/bom-generator.ts';
import type { BomThread } from '../../sbom/thread/bom-thread.ts';
import { PendingSignatures } from '../../attestation/signed-artifact.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { PullSecretSource } from '../../kube/pull-secrets.ts';
import type { Clock } from '../../model/clock.ts';
import { messageOf } from '../../model/errors.ts';
import type { Log } from '../../model/log.ts';
import type { RecordStore } from '../../model/signing-record.ts';
import type { SigningSetup } from '../../reconcilers/run-terms.ts';
import { SharedParts } from '../../reconcilers/shared-parts.ts';
import type { Lease } from '../../reconcilers/shared-parts.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { Tracing } from '../../telemetry/tracing.ts';
import {
  buildPolicyOf,
  createAttestationParts,
  createRegistries,
  createStatementSources,
} from './attestation.ts';
import type { Environment } from './cluster.ts';
import { Dispatchers } from './dispatchers.ts';
import { trustedFilesOf } from './process-log.ts';
import { ownCredentials, readHostTrust } from './registry-access.ts';
import { credentialsOfRun, processCredentials } from './run-credentials.ts';
import { createBomThread } from './sbom.ts';
import { createSigner } from './signer.ts';
import { SigningMaterials } from './signing-materials.ts';
import { SigningServices } from './signing-services.ts';
import { CurrentTrustRoot } from './trust.ts';
import { packageVersion } from './version.ts';

/** What all setups are made from. */
export interface SigningSetupsParts {
  readonly environment: Environment;
  readonly client: KubeClient;
  readonly account: { readonly namespace: string; readonly name: string };
  readonly records: RecordStore;
  readonly pullSecrets: PullSecretSource;
  readonly metrics: Metrics;
  /** Absent: nothing is traced. */
  readonly tracing?: Tracing;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends what is being opened. */
  readonly signal: AbortSignal;
}

type OpenSetup = SigningSetup & AsyncDisposable;

// One for the cluster and some for teams with settings of their own; each holds connections and a certificate.
const maxIdleSetups = 16;
const maxIdleThreads = 1;

/**
 * What signing takes, for as many settings as are in use: made when first asked for, shared by the runs that are signed
 * by the same settings, made anew when a key, trust root or certificate that they name has changed.
 */
export class SigningSetups implements AsyncDisposable {
  readonly #parts: SigningSetupsParts;
  readonly #setups: SharedParts<OpenSetup>;
  readonly #threads: SharedParts<BomThread>;
  readonly #materials: SigningMaterials;
  readonly #pending: PendingSignatures;
  /** The setup that was opened last, by settings. */
  readonly #lastGood = new Map<string, string>();

  constructor(parts: SigningSetupsParts) {
    const { log, clock } = parts;
    this.#parts = parts;
    this.#setups = new SharedParts({ maxIdle: maxIdleSetups, log });
    this.#threads = new SharedParts({ maxIdle: maxIdleThreads, log });
    const { client, account, signal } = parts;
    this.#materials = new SigningMaterials({ client, namespace: account.namespace, signal, log });
    this.#pending = new PendingSignatures(clock);
  }

  /** The setup for `settings`. Throws what its parts throw: ERR_TRUST_ROOT*, ERR_SETTINGS_*, ERR_KEY_*, ERR_KUBE_*. */
  async lease(settings: Settings): Promise<Lease<SigningSetup>> {
    const wanted = JSON.stringify(signingPartOf(settings));
    const key = `${wanted} ${await this.#materials.digestOf(wanted, settings)}`;
    const before = this.#lastGood.get(wanted);
    try {
      const lease = await this.#setups.lease(key, () => this.#open(settings));
      this.#remember(wanted, key);
      return lease;
    } catch (error) {
      if (before === undefined || before === key || !this.#setups.has(before)) throw error;
      this.#parts.log.error('what the settings refer to was changed and cannot be used; as before', {
        error: messageOf(error),
      });
      return this.#setups.lease(before, () => this.#open(settings));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#setups[Symbol.asyncDispose]();
    await this.#threads[Symbol.asyncDispose]();
  }

  #remember(wanted: string, key: string): void {
    this.#lastGood.delete(wanted);
    this.#lastGood.set(wanted, key);
    for (const name of this.#lastGood.keys()) {
      if (this.#lastGood.size <= 2 * maxIdleSetups) return;
      this.#lastGood.delete(name);
    }
  }

  async #open(settings: Settings): Promise<OpenSetup> {
    const { environment, client, account, signal, log, clock } = this.#parts;
    await using closing = new AsyncDisposableStack();
    const dispatchers = closing.use(
      await Dispatchers.open({
        caFiles: trustedFilesOf(environment),
        hosts: await readHostTrust(settings, { client, namespace: account.namespace, signal }),
      }),
    );
    const trust = await CurrentTrustRoot.open(settings, { clock, log, signal });
    if (trust.latest === undefined && settings.log.enabled)
      log.warn('no trust root: the log key is pinned at first use', {});
    const services = new SigningServices({ settings, clock, log });
    const common = { settings, services, dispatchers };
    const signer = await createSigner({ ...common, clock, client, account, signal });
    const bomMaker = await this.#leaseBomMaker(settings, closing);
    const attestation = createAttestationParts({ ...this.#parts, ...common, signer, trust });
    await attestation.witnesses.current({ signal });
    return {
      attestation: { ...attestation, pending: this.#pendingFor(settings) },
      policy: buildPolicyOf(settings),
      sources: createStatementSources(settings, bomMaker, log),
      storeFor: this.#storesOf(settings, dispatchers),
      [Symbol.asyncDispose]: disposerOf(closing.move()),
    };
  }

  /** A thread for SBOMs takes memory, so setups that make them alike share one. */
  async #leaseBomMaker(settings: Settings, closing: AsyncDisposableStack): Promise<BomMaker | undefined> {
    if (!settings.sbom.enabled) return undefined;
    const { concurrency, maxBytes, publisher } = settings.sbom;
    const key = JSON.stringify({ concurrency, maxBytes, publisher });
    const lease = await this.#threads.lease(key, () =>
      Promise.resolve(createBomThread(settings, packageVersion())),
    );
    closing.use(lease);
    return lease.part;
  }

  #storesOf(settings: Settings, dispatchers: Dispatchers): SigningSetup['storeFor'] {
    const { environment, pullSecrets, account, log, clock } = this.#parts;
    const { namespace } = account;
    const registries = createRegistries(settings, dispatchers, clock);
    const unnamed = processCredentials(environment);
    const own = ownCredentials(settings, { pullSecrets, namespace, unnamed, log });
    return (run) =>
      registries.withCredentials(credentialsOfRun(run, { pullSecrets, ownCredentials: own, log }));
  }

  /** What another signer made, or for another log, is not sent as ours after a change. */
  #pendingFor({ signer, log }: Settings): Pick<PendingSignatures, 'find' | 'keep' | 'forget'> {
    const scope = JSON.stringify({ signer, log });
    const pending = this.#pending;
    return {
      find: (uid, planned, witnesses) => pending.find(`${scope}/${uid}`, planned, witnesses),
      keep: (uid, signed) => {
        pending.keep(`${scope}/${uid}`, signed);
      },
      forget: (uid, artifacts) => {
        pending.forget(`${scope}/${uid}`, artifacts);
      },
    };
  }
}

function disposerOf(stack: AsyncDisposableStack): () => Promise<void> {
  return () => stack.disposeAsync();
}

/** The part of settings that signing depends on. */
function signingPartOf({
  provenance,
  signature,
  signer,
  log,
  timestampAuthorities,
  signingConfig,
  trustedRoot,
  storage,
  registries,
  sbom,
}: Settings) {
  const witnesses = { log, timestampAuthorities, signingConfig };
  return { provenance, signature, signer, ...witnesses, trustedRoot, storage, registries, sbom };
}
