import { findCondition } from '../kube/conditions.ts';
import type { Finding } from '../kube/conditions.ts';
import { withDeadline } from '../kube/deadline.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import type { Clock } from '../model/clock.ts';
import { isAppError } from '../model/errors.ts';
import type { ExportOptions } from '../policy/kyverno/kyverno-types.ts';
import type { PoliciesInForce, PolicyRegister } from '../policy/policy-register.ts';
import { KyvernoExports } from './kyverno-exports.ts';
import type { KyvernoExportsParts } from './kyverno-exports.ts';
import { absent, conditionType, faultOf, switchedOff, unavailable } from './kyverno-findings.ts';
import type { KyvernoPolicies } from './kyverno-policies.ts';

/** What the bridge takes. */
export interface KyvernoBridgeParts extends KyvernoExportsParts {
  readonly policies: KyvernoExportsParts['policies'] & Pick<KyvernoPolicies, 'list'>;
  /** How policies are exported, by the settings of this moment; undefined: not at all, and what was before is removed. */
  readonly options: () => Omit<ExportOptions, 'version'> | undefined;
  readonly register: Pick<PolicyRegister, 'inForce' | 'onChange'>;
  /** Told when there is something else to say on a ClusterImagePolicy. */
  readonly onRemark: (name: string) => void;
  readonly clock: Clock;
}

const resyncMs = 60_000;
const settleMs = 200;
const passMs = 60_000;
const pauses = { baseMs: 2000, capMs: 300_000 };

/**
 * Keeps an ImageValidatingPolicy of Kyverno in step with each ClusterImagePolicy in force, and those for images that none of
 * these checks. Level-based: each pass looks at what is there, so that installing or removing Kyverno needs no restart. Changes are
 * passed on at once, what others did to our policies is mended within a minute.
 */
export class KyvernoBridge {
  readonly #parts: KyvernoBridgeParts;
  readonly #exports: KyvernoExports;
  readonly #findings = new Map<string, Finding>();
  #wake: (() => void) | undefined;
  #isStale = false;
  #isCleared = false;

  constructor(parts: KyvernoBridgeParts) {
    this.#parts = parts;
    this.#exports = new KyvernoExports(parts);
  }

  /** What is to be said on a ClusterImagePolicy. */
  readonly remarks = (object: KubeObject): readonly Finding[] => {
    if (this.#parts.options() === undefined) {
      return findCondition(object, conditionType) === undefined ? [] : [switchedOff];
    }
    const known = this.#findings.get(object.metadata.name);
    return known === undefined ? [] : [known];
  };

  /** Has a pass made soon: the settings changed. */
  readonly wake = (): void => {
    this.#isStale = true;
    this.#wake?.();
  };

  /** Works until `signal` aborts. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const end = this.#parts.register.onChange(this.wake);
    try {
      for (let failures = 0; !signal.aborted;) {
        failures = (await this.#tryPass(signal)) ? 0 : failures + 1;
        const pauseMs = Math.min(pauses.baseMs * 2 ** Math.min(failures - 1, 20), pauses.capMs);
        await this.#pause(failures === 0 ? resyncMs : pauseMs, signal);
      }
    } finally {
      end();
    }
  }

  /** What an earlier setting left behind goes, once; without rights to it there is nothing that we could have left. */
  async #clear(inForce: PoliciesInForce | undefined, signal: AbortSignal): Promise<boolean> {
    if (this.#isCleared) return true;
    try {
      await this.#removeAll(signal);
    } catch (error) {
      signal.throwIfAborted();
      this.#parts.log.debug('policies of Kyverno could not be removed', faultOf(error));
      if (!isAppError(error) || error.kind !== 'permanent') return false;
    }
    this.#isCleared = true;
    this.#findings.clear();
    for (const { compiled } of inForce?.policies ?? []) this.#parts.onRemark(compiled.name);
    return true;
  }

  async #removeAll(signal: AbortSignal): Promise<void> {
    const { policies } = this.#parts;
    const kept = await policies.list({ signal });
    if (kept === undefined) return;
    for (const one of kept.ours.values()) await policies.remove(one, kept.version, { signal });
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    const woken = new AbortController();
    this.#wake = () => {
      woken.abort();
    };
    if (this.#isStale) woken.abort();
    await clock.sleep(ms, AbortSignal.any([signal, woken.signal])).catch(() => undefined);
    this.#wake = undefined;
    // Several changes that come together are one.
    if (this.#isStale) await clock.sleep(settleMs, signal).catch(() => undefined);
  }

  async #tryPass(signal: AbortSignal): Promise<boolean> {
    const { log, register, options } = this.#parts;
    this.#isStale = false;
    const { inForce } = register;
    const exportOptions = options();
    try {
      return await withDeadline(passMs, signal, (bounded) =>
        exportOptions === undefined
          ? this.#clear(inForce, bounded)
          : this.#pass(inForce, exportOptions, bounded),
      );
    } catch (error) {
      if (signal.aborted) return true;
      log.warn('policies of Kyverno could not be brought up to date', faultOf(error));
      this.#sayOfAll(inForce, unavailable(error));
      return false;
    }
  }

  /** False if a policy could not be written. */
  async #pass(
    inForce: PoliciesInForce | undefined,
    options: Omit<ExportOptions, 'version'>,
    signal: AbortSignal,
  ): Promise<boolean> {
    this.#isCleared = false;
    if (inForce === undefined) return true;
    const kept = await this.#parts.policies.list({ signal });
    if (kept === undefined) {
      this.#sayOfAll(inForce, absent);
      return true;
    }
    const pass = { kept, options: { ...options, version: kept.version }, signal };
    const { findings, isComplete } = await this.#exports.bring(inForce, pass);
    for (const name of this.#findings.keys()) if (!findings.has(name)) this.#findings.delete(name);
    for (const [name, finding] of findings) this.#say(name, finding);
    return isComplete;
  }

  #sayOfAll(inForce: PoliciesInForce | undefined, finding: Finding): void {
    for (const { compiled } of inForce?.policies ?? []) this.#say(compiled.name, finding);
  }

  #say(name: string, finding: Finding): void {
    const before = this.#findings.get(name);
    this.#findings.set(name, finding);
    if (before?.reason !== finding.reason || before.message !== finding.message) this.#parts.onRemark(name);
  }
}
