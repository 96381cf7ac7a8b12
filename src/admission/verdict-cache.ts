import { LRUCache } from 'lru-cache';
import type { Clock } from '../model/clock.ts';
import type { CompiledClusterPolicy } from '../policy/compiled-policy.ts';
import type { PolicyResult } from '../policy/judgement.ts';
import type { AdmissionMetrics } from '../telemetry/admission-metrics.ts';

/** What a result is about, and who may see it. */
export interface VerdictKey {
  /** `HOST/PATH@DIGEST`. */
  readonly image: string;
  readonly policy: CompiledClusterPolicy;
  /** Of the policy and everything that it was compiled from. */
  readonly version: string;
  readonly namespace: string;
  /** With whose credentials evidence is looked for. */
  readonly account: string;
}

/** How long results are kept. */
export interface VerdictCacheOptions {
  readonly entries: number;
  readonly admittedForMs: number;
  readonly deniedForMs: number;
  readonly clock: Clock;
  readonly metrics: Pick<AdmissionMetrics, 'cacheAsked'>;
}

/**
 * Results of judging images by policies. Who asks for one that is being worked out waits for it. A fault is kept for
 * nobody. That an image passed is true for everybody; that it failed holds for the same credentials alone, since a
 * registry may hide evidence from some.
 */
export class VerdictCache {
  readonly #options: VerdictCacheOptions;
  readonly #known: LRUCache<string, PolicyResult>;
  readonly #inWork = new Map<string, Promise<PolicyResult>>();

  constructor(options: VerdictCacheOptions) {
    this.#options = options;
    this.#known = new LRUCache({
      max: options.entries,
      ttl: Math.max(1, options.admittedForMs),
      ttlResolution: 0,
      perf: { now: () => options.clock.now().getTime() },
    });
  }

  /** The result that is known, or what `judge` finds. Throws what `judge` throws. */
  async recall(key: VerdictKey, judge: () => Promise<PolicyResult>): Promise<PolicyResult> {
    const shared = sharedKey(key);
    const own = `${shared} ${key.account}`;
    const known = this.#known.get(shared) ?? this.#known.get(own);
    const { metrics } = this.#options;
    if (known !== undefined) {
      metrics.cacheAsked('verdict', 'hit');
      return known;
    }
    const inWork = this.#inWork.get(own);
    metrics.cacheAsked('verdict', inWork === undefined ? 'miss' : 'joined');
    return inWork ?? this.#workOut(key, { shared, own }, judge);
  }

  async #workOut(
    { policy }: VerdictKey,
    { shared, own }: { readonly shared: string; readonly own: string },
    judge: () => Promise<PolicyResult>,
  ): Promise<PolicyResult> {
    const work = judge();
    this.#inWork.set(own, work);
    try {
      const result = await work;
      const ttl = isVolatile(policy) ? 0 : this.#lifetimeOf(result);
      if (ttl > 0) this.#known.set(result.passed ? shared : own, result, { ttl });
      return result;
    } finally {
      this.#inWork.delete(own);
    }
  }

  #lifetimeOf(result: PolicyResult): number {
    const { admittedForMs, deniedForMs, clock } = this.#options;
    if (!result.passed) return deniedForMs;
    return Math.min(admittedForMs, leastValidity(result) - clock.now().getTime());
  }
}

/** What a policy finds by Secrets of the workload's namespace is told to nobody else. */
function sharedKey({ image, policy, version, namespace }: VerdictKey): string {
  const usesSecrets = policy.authorities.some(
    (authority) => authority.kind !== 'static' && (authority.pullSecrets ?? []).length > 0,
  );
  return JSON.stringify([image, policy.name, version, usesSecrets ? namespace : '']);
}

/** A rule that looks at the time or at chance answers for one moment. */
function isVolatile({ authorities, whole }: CompiledClusterPolicy): boolean {
  const bodies = authorities.flatMap((authority) =>
    authority.kind === 'static' ? [] : authority.attestations.map(({ policy }) => policy),
  );
  return [...bodies, whole?.policy].some((body) => (body?.volatile ?? []).length > 0);
}

/** Until when the certificates are valid whose signatures nobody witnessed, in milliseconds since the epoch. */
function leastValidity({ authorities }: PolicyResult): number {
  const ends = authorities.flatMap(({ checks }) =>
    checks.flatMap(({ evidence }) =>
      evidence.flatMap(({ signer, witnessedAt }) =>
        'notAfter' in signer && witnessedAt.length === 0 ? [Date.parse(signer.notAfter)] : [],
      ),
    ),
  );
  return Math.min(...ends, Infinity);
}
