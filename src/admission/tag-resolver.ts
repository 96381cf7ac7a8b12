import { LRUCache } from 'lru-cache';
import type { Clock } from '../model/clock.ts';
import type { Digest } from '../model/digest.ts';
import { AppError } from '../model/errors.ts';
import { formatImageReference } from '../model/image-reference.ts';
import type { ImageReference } from '../model/image-reference.ts';
import type { ImageStore } from '../registry/image-store.ts';
import { withSignal } from '../registry/shared-wait.ts';
import { admissionLimits, admissionTimes } from './admission-limits.ts';
import type { AdmissionMetrics } from '../telemetry/admission-metrics.ts';

/** What a tag is looked up with. */
export interface TagCall {
  readonly store: ImageStore;
  /** Differs where other credentials may be used. */
  readonly account: string;
  readonly signal: AbortSignal;
}

/** Digests of tags, remembered just long enough for the calls about one object. */
export class TagResolver {
  readonly #metrics: Pick<AdmissionMetrics, 'cacheAsked'>;
  readonly #known: LRUCache<string, Digest>;
  readonly #inWork = new Map<string, Promise<Digest>>();

  constructor(options: { readonly clock: Clock; readonly metrics: Pick<AdmissionMetrics, 'cacheAsked'> }) {
    this.#metrics = options.metrics;
    this.#known = new LRUCache({
      max: admissionLimits.tags,
      ttl: admissionTimes.tagMs,
      ttlResolution: 0,
      perf: { now: () => options.clock.now().getTime() },
    });
  }

  /** The digest that the registry has for a tag now. Throws ERR_POLICY_IMAGE_ABSENT, and ERR_REGISTRY_*. */
  async resolve(reference: ImageReference, { store, account, signal }: TagCall): Promise<Digest> {
    signal.throwIfAborted();
    const { repository, tag = 'latest' } = reference;
    const key = `${formatImageReference({ repository, tag })} ${account}`;
    const known = this.#known.get(key);
    const inWork = this.#inWork.get(key);
    this.#metrics.cacheAsked('tag', known === undefined ? (inWork === undefined ? 'miss' : 'joined') : 'hit');
    return known ?? withSignal(inWork ?? this.#ask(key, { repository, tag }, store), signal);
  }

  async #ask(
    key: string,
    reference: Required<Pick<ImageReference, 'repository' | 'tag'>>,
    store: ImageStore,
  ): Promise<Digest> {
    // Shared, so that it ends with nobody's patience but its own.
    const asked = headDigest(store, reference, AbortSignal.timeout(admissionTimes.resolvingMs));
    this.#inWork.set(key, asked);
    try {
      const digest = await asked;
      this.#known.set(key, digest);
      return digest;
    } finally {
      this.#inWork.delete(key);
    }
  }
}

async function headDigest(
  store: ImageStore,
  { repository, tag }: Required<Pick<ImageReference, 'repository' | 'tag'>>,
  signal: AbortSignal,
): Promise<Digest> {
  const found = await store.headManifest(repository, tag, { signal });
  if (found !== undefined) return found.digest;
  const image = formatImageReference({ repository, tag });
  throw new AppError('ERR_ADMISSION_TAG_ABSENT', `the registry does not hold ${image}`, {
    kind: 'permanent',
    object: image,
    remedy: 'Push the image, or correct its name.',
  });
}
