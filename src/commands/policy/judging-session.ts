import { AppError, isAppError } from '../../model/errors.ts';
import { formatRepository } from '../../model/image-reference.ts';
import type { ClusterImagePolicy } from '../../policy/cluster-image-policy.ts';
import type { CompiledClusterPolicy } from '../../policy/compiled-policy.ts';
import { openPolicyEngine } from '../../policy/evaluation/policy-engine.ts';
import { compileGlob } from '../../policy/image-glob.ts';
import { judgeImage } from '../../policy/image-judge.ts';
import type { JudgedImage, NoMatchPolicy } from '../../policy/image-judge.ts';
import type { ImageJudgement } from '../../policy/judgement.ts';
import { openLogSearch } from '../../policy/log-search.ts';
import { compileClusterPolicy } from '../../policy/policy-compiler.ts';
import { isInScope } from '../../policy/policy-matching.ts';
import type { PolicyReferences } from '../../policy/policy-references.ts';
import { unusableTrustRoot } from '../../policy/trust-root-fault.ts';
import type { TrustRootObject } from '../../policy/trust-root-object.ts';
import { loadTrustRootObject } from '../../policy/trust-root-source.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import { openLayoutStore } from '../../registry/oci-layout-store.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { CertificateMemory } from '../../signing/certificate-memory.ts';
import { loadTrustRoot } from '../../signing/trust-root.ts';
import type { TrustRoot } from '../../signing/trust-root.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import { createRegistries, hostTrustOf } from '../wiring/attestation.ts';
import type { Environment } from '../wiring/cluster.ts';
import { Dispatchers } from '../wiring/dispatchers.ts';
import { parseStoreAddress } from '../wiring/evidence-store.ts';
import { trustedFilesOf } from '../wiring/process-log.ts';
import { userCredentials } from '../wiring/run-credentials.ts';
import { openTrustRoot } from '../wiring/trust.ts';
import { pinImage } from '../wiring/user-images.ts';
import { openRemoteReferences } from './remote-references.ts';

/** What judging images on the command line is made from. */
export interface JudgingOptions {
  readonly settings: Settings;
  readonly environment: Environment;
  /** File with the default trust root; else that of the settings. */
  readonly trustedRoot?: string | undefined;
  /** Where images lie, if not in their registries: `oci-layout:DIR`. */
  readonly store?: string | undefined;
  readonly policies: readonly ClusterImagePolicy[];
  /** Policies besides, which cannot be compiled and deny what they are about. */
  readonly broken?: readonly CompiledClusterPolicy[];
  /** What the policies refer to, besides the default trust root. */
  readonly references: Omit<PolicyReferences, 'findTrustRoot' | 'fetchRemotePolicy' | 'findKmsKey'> & {
    readonly findNamedTrustRoot: (name: string) => TrustRootObject | undefined;
  };
  readonly noMatch: NoMatchPolicy;
  readonly signal: AbortSignal;
  /** Takes what has to be closed at the end. */
  readonly closing: AsyncDisposableStack;
}

/** Judges images by policies that are ready. */
export type Judging = (asked: Omit<JudgedImage, 'pinned'>) => Promise<ImageJudgement>;

/**
 * Opens store and evaluators. The judging it gives resolves tags as the webhook does, and compiles each policy once, when
 * an image is judged that it is about. Both throw ERR_USAGE_STORE, ERR_TRUST_ROOT, ERR_POLICY_IMAGE_ABSENT, ERR_USAGE_IMAGE, and passing faults.
 */
export async function openJudging(options: JudgingOptions): Promise<Judging> {
  const { policies, references, noMatch, signal, closing } = options;
  const certificates = new CertificateMemory();
  const store = await openStore(options);
  const dispatchers = lazily(async () => closing.use(await openDispatchers(options)));
  const searchLog = openLogSearch({
    dispatcherFor: async (host) => (await dispatchers()).for(host),
    clock: systemClock,
  });
  const engine = closing.use(openPolicyEngine({ clock: systemClock }));
  const defaultRoot = lazily(() => openDefaultTrustRoot(options));
  const findTrustRoot: PolicyReferences['findTrustRoot'] = async (name) => {
    const wanted = name ?? defaultReferenceOf(options);
    if (wanted === undefined) return defaultRoot();
    return openNamedTrustRoot(wanted, options);
  };
  const allReferences = { ...references, ...openRemoteReferences(options), findTrustRoot };
  const parts = { engine, references: allReferences, signal };
  const prepared = policies.map((policy) => ({
    globs: policy.images.map(compileGlob),
    match: policy.match,
    compile: lazily(() => compileClusterPolicy(policy, parts)),
  }));
  return async (asked) => {
    const pinned = await pinImage(asked.image, store, signal);
    const name = `${formatRepository(pinned.repository)}@${pinned.digest}`;
    // What other policies refer to may be away: that is no matter here.
    const meant = prepared.filter((policy) => isInScope(policy, name, asked.workload));
    const compiled = await Promise.all(meant.map(({ compile }) => compile()));
    const all = [...compiled, ...(options.broken ?? [])];
    const parts = { store, clock: systemClock, noMatch, certificates, searchLog, signal };
    return judgeImage({ ...asked, pinned }, all, parts);
  };
}

async function openStore({ settings, environment, store, closing }: JudgingOptions): Promise<ImageStore> {
  if (store !== undefined) {
    const address = parseStoreAddress(store);
    if (address.kind === 'oci-layout') return openLayoutStore(address.folder, systemClock);
    throw new AppError('ERR_USAGE_STORE', `"${store.slice(0, 200)}" is no folder`, {
      kind: 'permanent',
      remedy: 'Leave --store out: images are looked for in the registry that their name tells.',
    });
  }
  const dispatchers = closing.use(await openDispatchers({ settings, environment }));
  const registries = createRegistries(settings, dispatchers, systemClock);
  return registries.withCredentials(userCredentials(environment));
}

function openDispatchers({
  settings,
  environment,
}: Pick<JudgingOptions, 'settings' | 'environment'>): Promise<Dispatchers> {
  return Dispatchers.open({ caFiles: trustedFilesOf(environment), hosts: hostTrustOf(settings) });
}

/** The TrustRoot object that is the default, unless the command line names a file. */
function defaultReferenceOf({ trustedRoot, settings }: JudgingOptions): string | undefined {
  return trustedRoot === undefined ? settings.trustedRoot.trustRootRef : undefined;
}

async function openDefaultTrustRoot({
  trustedRoot,
  settings,
  signal,
}: JudgingOptions): Promise<TrustRoot | undefined> {
  return trustedRoot === undefined
    ? openTrustRoot(settings, { signal })
    : loadTrustRoot(trustedRoot, { signal });
}

async function openNamedTrustRoot(
  name: string,
  { references, environment, settings, signal }: JudgingOptions,
): Promise<TrustRoot | undefined> {
  try {
    const object = references.findNamedTrustRoot(name);
    if (object === undefined) return undefined;
    await using dispatchers = await openDispatchers({ environment, settings });
    const { host } = new URL(object.spec.remote?.mirror ?? 'https://none.invalid');
    const dispatcher = dispatchers.for(host);
    return await loadTrustRootObject(object, { dispatcher, clock: systemClock, signal });
  } catch (error) {
    // As the webhook says it, which has to go on; whoever asks by hand waits for what is passing.
    throw isAppError(error) && error.kind === 'permanent' ? unusableTrustRoot(name, error.message) : error;
  }
}

/** Policies that name their own trust root, or none, spare the way to the public one. */
function lazily<Value>(open: () => Promise<Value>): () => Promise<Value> {
  let opened: Promise<Value> | undefined;
  return () => (opened ??= open());
}
