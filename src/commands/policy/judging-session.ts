import { AppError } from '../../model/errors.ts';
import { objectIn } from '../../model/json-object.ts';
import { formatRepository } from '../../model/image-reference.ts';
import type { ClusterImagePolicy } from '../../policy/cluster-image-policy.ts';
import type { CompiledClusterPolicy } from '../../policy/compiled-policy.ts';
import type { EvaluationLimits } from '../../policy/evaluation/evaluation-limits.ts';
import { openPolicyEngine } from '../../policy/evaluation/policy-engine.ts';
import { compileGlob } from '../../policy/image-glob.ts';
import { excuse } from '../../policy/excused-judgement.ts';
import { judgeImage } from '../../policy/image-judge.ts';
import type { JudgedImage, NoMatchPolicy } from '../../policy/image-judge.ts';
import type { ImageJudgement } from '../../policy/judgement.ts';
import type { PolicyException } from '../../policy/policy-exception.ts';
import { logSearchTimes, openLogSearch } from '../../policy/log-search.ts';
import { compileClusterPolicy } from '../../policy/policy-compiler.ts';
import { isInScope } from '../../policy/policy-matching.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import { openLayoutStore } from '../../registry/oci-layout-store.ts';
import { CertificateMemory } from '../../signing/certificate-memory.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import { parseStoreAddress } from '../wiring/evidence-store.ts';
import { openUserRegistries, pinImage } from '../wiring/user-images.ts';
import type { NamedImage } from '../wiring/user-images.ts';
import { lazily, openDispatchers, openReferences } from './open-references.ts';
import type { ReferencesOptions } from './open-references.ts';

/** What judging images on the command line is made from. */
export interface JudgingOptions extends ReferencesOptions {
  /** Where images lie, if not in their registries: `oci-layout:DIR`. */
  readonly store?: string | undefined;
  /** The image that is judged, with the flags that say how its registry is reached. */
  readonly named?: NamedImage;
  readonly policies: readonly ClusterImagePolicy[];
  /** Policies besides, which cannot be compiled and deny what they are about. */
  readonly broken?: readonly CompiledClusterPolicy[];
  readonly noMatch: NoMatchPolicy;
  /** What lets images off policies, in the namespace of the object that they stand in. */
  readonly exceptions?: readonly PolicyException[];
  /** How long evaluations may take and the like, where it is not the default. */
  readonly limits?: Partial<EvaluationLimits>;
}

/** Judges images by policies that are ready. */
export type Judging = (asked: Omit<JudgedImage, 'pinned'>) => Promise<ImageJudgement>;

/**
 * Opens store and evaluators. The judging it gives resolves tags as the webhook does, and compiles each policy once, when
 * an image is judged that it is about. Both throw ERR_USAGE_STORE, ERR_TRUST_ROOT, ERR_POLICY_IMAGE_ABSENT, ERR_USAGE_IMAGE, and passing faults.
 */
export async function openJudging(options: JudgingOptions): Promise<Judging> {
  const { policies, noMatch, limits = {}, signal, closing } = options;
  const certificates = new CertificateMemory();
  const store = await openImageStore(options);
  const dispatchers = lazily(async () => closing.use(await openDispatchers(options)));
  const searchLog = openLogSearch({
    dispatcherFor: async (host) => (await dispatchers()).for(host),
    clock: systemClock,
    deadlineMs: logSearchTimes.commandMs,
  });
  const engine = closing.use(openPolicyEngine({ clock: systemClock, limits }));
  const parts = { engine, references: openReferences(options), signal };
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
    const judgement = await judgeImage({ ...asked, pinned }, all, parts);
    const { namespace = 'default' } = objectIn(asked.object['metadata']);
    const exceptions = (options.exceptions ?? []).filter((one) => one.namespace === namespace);
    return excuse(judgement, pinned, { exceptions, policies: all, now: systemClock.now() });
  };
}

/** The registries, or the folder that takes their place. Throws ERR_USAGE_STORE, ERR_USAGE_FLAGS, ERR_USAGE_IMAGE. */
export async function openImageStore(
  options: Pick<JudgingOptions, 'settings' | 'environment' | 'closing' | 'store' | 'named'>,
): Promise<ImageStore> {
  const { settings, environment, store, named, closing } = options;
  if (store !== undefined) {
    const address = parseStoreAddress(store);
    if (address.kind === 'oci-layout') return openLayoutStore(address.folder, systemClock);
    throw new AppError('ERR_USAGE_STORE', `"${store.slice(0, 200)}" is no folder`, {
      kind: 'permanent',
      remedy: 'Leave --store out: images are looked for in the registry that their name tells.',
    });
  }
  const dispatchers = closing.use(await openDispatchers({ settings, environment }));
  return openUserRegistries(settings, {
    dispatchers,
    environment,
    ...(named === undefined ? {} : { named }),
  });
}
