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

interface KnownResult {
  readonly result: PolicyResult;
  readonly atMs: number;
}

/** How long results are kept. */
export interface VerdictCacheOptions {
  readonly entries: number;
  readonly admittedForMs: number;
  readonly deniedForMs: number;
  /** How long results stay for those who take older ones; the times above if absent. */
  readonly keptForMs?: number;
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
  readonly #known: LRUCache<string, KnownResult>;
  readonly #inWork = new Map<string, Promise<PolicyResult>>();

  constructor(options: VerdictCacheOptions) {
    this.#options = options;
    this.#known = new LRUCache({
      max: options.entries,
      ttl: Math.max(1, options.admittedForMs, options.deniedForMs, options.keptForMs ?? 0),
      ttlResolution: 0,
      perf: { now: () => options.clock.now().getTime() },
    });
  }

  /**
   * The result that is known, or what `judge` finds. `maxAgeMs` tells how old a result may be, whatever it says; absent: as
   * the options say. Throws what `judge` throws.
   */
  async recall(
    key: VerdictKey,
    judge: () => Promise<PolicyResult>,
    maxAgeMs?: number,
  ): Promise<PolicyResult> {
    const known = this.#find(key, maxAgeMs);
    const { metrics } = this.#options;
    if (known !== undefined) {
      metrics.cacheAsked('verdict', 'hit');
      return known;
    }
    const keys = keysOf(key);
    const inWork = this.#inWork.get(keys.own);
    metrics.cacheAsked('verdict', inWork === undefined ? 'miss' : 'joined');
    return inWork ?? this.#workOut(key, keys, judge);
  }

  /** True if a result is known and not too old, or being worked out. */
  has(key: VerdictKey, maxAgeMs?: number): boolean {
    return this.#inWork.has(keysOf(key).own) || this.#find(key, maxAgeMs) !== undefined;
  }

  /** The result that is known and not too old. */
  #find(key: VerdictKey, maxAgeMs?: number): PolicyResult | undefined {
    const { shared, own } = keysOf(key);
    const nowMs = this.#options.clock.now().getTime();
    const usable = [shared, own]
      .map((name) => this.#known.get(name))
      .filter((known) => known !== undefined && nowMs < this.#endOf(known, maxAgeMs));
    return usable[0]?.result;
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
      const atMs = this.#options.clock.now().getTime();
      if (!isVolatile(policy)) this.#known.set(result.passed ? shared : own, { result, atMs });
      return result;
    } finally {
      this.#inWork.delete(own);
    }
  }

  /** Until when a result may be used, in milliseconds since the epoch. */
  #endOf({ result, atMs }: KnownResult, maxAgeMs: number | undefined): number {
    const { admittedForMs, deniedForMs } = this.#options;
    const ageMs = maxAgeMs ?? (result.passed ? admittedForMs : deniedForMs);
    return result.passed ? Math.min(atMs + ageMs, leastValidity(result)) : atMs + ageMs;
  }
}

function keysOf(key: VerdictKey): { readonly shared: string; readonly own: string } {
  const shared = sharedKey(key);
  return { shared, own: `${shared} ${key.account}` };
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
