import { AppError } from '../../model/errors.ts';
import { formatRepository, parseImageReference } from '../../model/image-reference.ts';
import type { ImageReference, PinnedImage } from '../../model/image-reference.ts';
import type { ClusterImagePolicy } from '../../policy/cluster-image-policy.ts';
import type { CompiledClusterPolicy } from '../../policy/compiled-policy.ts';
import { openPolicyEngine } from '../../policy/evaluation/policy-engine.ts';
import { judgeImage } from '../../policy/image-judge.ts';
import type { JudgedImage, NoMatchPolicy } from '../../policy/image-judge.ts';
import type { ImageJudgement } from '../../policy/judgement.ts';
import { compileClusterPolicy } from '../../policy/policy-compiler.ts';
import type { PolicyReferences } from '../../policy/policy-references.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import { openLayoutStore } from '../../registry/oci-layout-store.ts';
import type { Settings } from '../../settings/settings-schema.ts';
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

/** What judging images on the command line is made from. */
export interface JudgingOptions {
  readonly settings: Settings;
  readonly environment: Environment;
  /** File with the default trust root; else that of the settings. */
  readonly trustedRoot?: string | undefined;
  /** Where images lie, if not in their registries: `oci-layout:DIR`. */
  readonly store?: string | undefined;
  readonly policies: readonly ClusterImagePolicy[];
  /** What the policies refer to, besides the default trust root. */
  readonly references: Omit<PolicyReferences, 'findTrustRoot'> & {
    readonly findNamedTrustRoot: (name: string) => TrustRoot | undefined;
  };
  readonly noMatch: NoMatchPolicy;
  readonly signal: AbortSignal;
  /** Takes what has to be closed at the end. */
  readonly closing: AsyncDisposableStack;
}

/** Judges images by policies that are ready. */
export type Judging = (asked: Omit<JudgedImage, 'pinned'>) => Promise<ImageJudgement>;

/**
 * Opens store and evaluators and compiles the policies. The judging it gives resolves tags as the webhook does. Throws
 * ERR_USAGE_STORE, ERR_TRUST_ROOT, ERR_POLICY_IMAGE_ABSENT, ERR_USAGE_IMAGE, and passing faults.
 */
export async function openJudging(options: JudgingOptions): Promise<Judging> {
  const { policies, references, noMatch, signal, closing } = options;
  const store = await openStore(options);
  const engine = closing.use(openPolicyEngine({ clock: systemClock }));
  const defaultRoot = lazily(() => openDefaultTrustRoot(options));
  const findTrustRoot: PolicyReferences['findTrustRoot'] = async (name) =>
    name === undefined ? defaultRoot() : references.findNamedTrustRoot(name);
  const parts = { engine, references: { ...references, findTrustRoot }, signal };
  const compiled: readonly CompiledClusterPolicy[] = await Promise.all(
    policies.map((policy) => compileClusterPolicy(policy, parts)),
  );
  return async (asked) => {
    const pinned = await pin(asked.image, store, signal);
    return judgeImage({ ...asked, pinned }, compiled, { store, clock: systemClock, noMatch, signal });
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
  const dispatchers = closing.use(
    await Dispatchers.open({ caFiles: trustedFilesOf(environment), hosts: hostTrustOf(settings) }),
  );
  const registries = createRegistries(settings, dispatchers, systemClock);
  return registries.withCredentials(userCredentials(environment));
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

/** Policies that name their own trust root, or none, spare the way to the public one. */
function lazily<Value>(open: () => Promise<Value>): () => Promise<Value> {
  let opened: Promise<Value> | undefined;
  return () => (opened ??= open());
}

async function pin(image: string, store: ImageStore, signal: AbortSignal): Promise<PinnedImage> {
  const { repository, tag = 'latest', digest } = parseReference(image);
  const found = await store.headManifest(repository, digest ?? tag, { signal });
  if (found !== undefined) return { repository, digest: digest ?? found.digest };
  throw new AppError('ERR_POLICY_IMAGE_ABSENT', `there is no image ${image}`, {
    kind: 'permanent',
    object: formatRepository(repository),
    remedy: 'Push the image, or correct its name.',
  });
}

function parseReference(image: string): ImageReference {
  try {
    return parseImageReference(image);
  } catch (cause) {
    throw new AppError('ERR_USAGE_IMAGE', `"${image.slice(0, 200)}" names no image`, {
      kind: 'permanent',
      remedy: 'Write HOST/PATH:TAG or HOST/PATH@sha256:HEX.',
      cause,
    });
  }
}
