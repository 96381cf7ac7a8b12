import { findCondition } from '../kube/conditions.ts';
import type { Finding } from '../kube/conditions.ts';
import { withDeadline } from '../kube/deadline.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import type { Clock } from '../model/clock.ts';
import { isAppError, messageOf } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import { exportToKyverno } from '../policy/kyverno/image-validating-policy.ts';
import { formatLimitation } from '../policy/kyverno/limitation.ts';
import type { ExportOptions, ImageValidatingPolicy } from '../policy/kyverno/kyverno-types.ts';
import { exportUnmatched } from '../policy/kyverno/unmatched-policy.ts';
import type { PoliciesInForce, PolicyRegister, RegisteredPolicy } from '../policy/policy-register.ts';
import type { KeptPolicies, KyvernoPolicies, PolicyOwner } from './kyverno-policies.ts';

/** What the bridge takes. */
export interface KyvernoBridgeParts {
  readonly policies: Pick<KyvernoPolicies, 'list' | 'put' | 'remove'>;
  /** How policies are exported, by the settings of this moment; undefined: not at all, and what was before is removed. */
  readonly options: () => Omit<ExportOptions, 'version'> | undefined;
  readonly register: Pick<PolicyRegister, 'inForce' | 'onChange'>;
  /** The ClusterImagePolicy of that name as last seen. */
  readonly findPolicy: (name: string) => KubeObject | undefined;
  /** Told when there is something else to say on a ClusterImagePolicy. */
  readonly onRemark: (name: string) => void;
  readonly clock: Clock;
  readonly log: Log;
}

const conditionType = 'KyvernoExported';
const resyncMs = 60_000;
const settleMs = 200;
const passMs = 60_000;
const pauses = { baseMs: 2000, capMs: 300_000 };

/**
 * Keeps an ImageValidatingPolicy of Kyverno in step with each ClusterImagePolicy in force, and one for images that none is
 * about. Level-based: each pass looks at what is there, so that installing or removing Kyverno needs no restart. Changes are
 * passed on at once, what others did to our policies is mended within a minute.
 */
export class KyvernoBridge {
  readonly #parts: KyvernoBridgeParts;
  readonly #findings = new Map<string, Finding>();
  #wake: (() => void) | undefined;
  #isStale = false;
  #isCleared = false;

  constructor(parts: KyvernoBridgeParts) {
    this.#parts = parts;
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
    const { policies } = this.#parts;
    this.#isCleared = false;
    if (inForce === undefined) return true;
    const kept = await policies.list({ signal });
    if (kept === undefined) {
      this.#sayOfAll(inForce, absent);
      return true;
    }
    const exportOptions = { ...options, version: kept.version };
    const wanted = new Set<string>();
    let isComplete = true;
    for (const registered of inForce.policies) {
      wanted.add(registered.compiled.name);
      const isPut = await this.#export(registered, kept, { exportOptions, signal });
      isComplete &&= isPut;
    }
    const compiled = inForce.policies.map((one) => one.compiled);
    const unmatched = exportUnmatched(compiled, inForce.rules.noMatch, exportOptions);
    if (unmatched !== undefined) {
      wanted.add(unmatched.metadata.name);
      await this.#put(unmatched, undefined, kept, signal);
    }
    for (const [name, one] of kept.ours) {
      if (!wanted.has(name)) await policies.remove(one, kept.version, { signal });
    }
    for (const name of this.#findings.keys()) if (!wanted.has(name)) this.#findings.delete(name);
    return isComplete;
  }

  async #export(
    { compiled }: RegisteredPolicy,
    kept: KeptPolicies,
    { exportOptions, signal }: { readonly exportOptions: ExportOptions; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const { name } = compiled;
    try {
      const { policy, limitations } = exportToKyverno(compiled, exportOptions);
      const isTaken = await this.#put(policy, this.#ownerOf(name), kept, signal);
      this.#say(name, isTaken ? taken(name) : exported(name, limitations.map(formatLimitation)));
      return true;
    } catch (error) {
      signal.throwIfAborted();
      this.#parts.log.warn('a policy could not be exported to Kyverno', { name, ...faultOf(error) });
      this.#say(name, unavailable(error));
      return false;
    }
  }

  async #put(
    policy: ImageValidatingPolicy,
    owner: PolicyOwner | undefined,
    kept: KeptPolicies,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { policies, log } = this.#parts;
    const written = await policies.put(policy, owner, kept, { signal });
    const { name } = policy.metadata;
    if (written === 'written') log.info('a policy of Kyverno was written', { name });
    if (written === 'taken')
      log.warn('a policy of Kyverno that is not ours has the name of one of ours', { name });
    return written === 'taken';
  }

  #ownerOf(name: string): PolicyOwner | undefined {
    const object = this.#parts.findPolicy(name);
    const uid = object?.metadata.uid;
    if (object === undefined || uid === undefined) return undefined;
    return { apiVersion: object.apiVersion, kind: object.kind, name, uid };
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

function finding(status: Finding['status'], reason: string, message: string): Finding {
  return { type: conditionType, status, reason, message };
}

const absent = finding('False', 'KyvernoAbsent', 'the cluster does not know policies.kyverno.io');
const switchedOff = finding('False', 'SwitchedOff', 'spec.kyverno.export of the settings is off');

function taken(name: string): Finding {
  const why = `there is an ImageValidatingPolicy ${name} that is not ours; rename it or this policy`;
  return finding('False', 'NameTaken', why);
}

function exported(name: string, limitations: readonly string[]): Finding {
  return finding(
    'True',
    'Exported',
    `ImageValidatingPolicy ${name}; stricter there: ${limitations.join('; ')}`,
  );
}

function unavailable(error: unknown): Finding {
  const code = isAppError(error) ? `${error.code}: ` : '';
  return finding('False', 'NotWritten', `${code}${messageOf(error)}`);
}

function faultOf(error: unknown): { readonly code: string | undefined; readonly error: string } {
  return { code: isAppError(error) ? error.code : undefined, error: messageOf(error) };
}
