import type { Finding } from '../kube/conditions.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import type { Log } from '../model/log.ts';
import type { CompiledClusterPolicy } from '../policy/compiled-policy.ts';
import { exportToKyverno } from '../policy/kyverno/image-validating-policy.ts';
import type { ExportOptions, ImageValidatingPolicy } from '../policy/kyverno/kyverno-types.ts';
import { formatLimitation } from '../policy/kyverno/limitation.ts';
import { exportUnchecked } from '../policy/kyverno/unchecked-policy.ts';
import type { UncheckedPolicy } from '../policy/kyverno/unchecked-policy.ts';
import { exportUnmatched } from '../policy/kyverno/unmatched-policy.ts';
import type { PoliciesInForce } from '../policy/policy-register.ts';
import { closed, exported, faultOf, leftOpen, reasonOf, taken, unavailable } from './kyverno-findings.ts';
import type { KeptPolicies, KyvernoPolicies, PolicyOwner } from './kyverno-policies.ts';

/** What writing takes. */
export interface KyvernoExportsParts {
  readonly policies: Pick<KyvernoPolicies, 'put' | 'remove' | 'isAsWritten'>;
  /** The ClusterImagePolicy of that name as last seen. */
  readonly findPolicy: (name: string) => KubeObject | undefined;
  readonly log: Log;
}

/** What came of it. */
export interface KyvernoExportsResult {
  /** What is to be said of each policy, by its name. */
  readonly findings: ReadonlyMap<string, Finding>;
  /** False if one could not be written. */
  readonly isComplete: boolean;
}

interface Pass {
  readonly kept: KeptPolicies;
  readonly options: ExportOptions;
  readonly signal: AbortSignal;
}

interface PolicyOutcome {
  readonly finding: Finding;
  readonly isComplete: boolean;
  /** Present if Kyverno does not hold the policy as it is in force. */
  readonly unchecked?: UncheckedPolicy;
}

interface GuardOutcome {
  /** Under which it is in place. */
  readonly name?: string;
  /** Why it is not. */
  readonly fault?: string;
  readonly isComplete: boolean;
}

const maxGuardNames = 8;

/**
 * Writes the policies in force for Kyverno, and beside them the guards: policies that deny what none of those checks. A policy
 * of Kyverno that is not in place so denies more, never less.
 */
export class KyvernoExports {
  readonly #parts: KyvernoExportsParts;
  /** From what those were made that we wrote last. */
  readonly #sources = new Map<string, CompiledClusterPolicy>();

  constructor(parts: KyvernoExportsParts) {
    this.#parts = parts;
  }

  /** Has Kyverno hold what is in force and nothing else of ours. Throws ERR_KUBE_* where what is left over cannot be deleted. */
  async bring({ policies, rules }: PoliciesInForce, pass: Pass): Promise<KyvernoExportsResult> {
    const all = policies.map(({ compiled }) => compiled);
    const outcomes = new Map<string, PolicyOutcome>();
    for (const compiled of all) outcomes.set(compiled.name, await this.#export(compiled, pass));
    const unchecked = [...outcomes.values()].flatMap((one) => one.unchecked ?? []);
    const guards = [
      await this.#guard((foreign) => exportUnchecked(unchecked, all, pass.options, foreign), pass),
      await this.#guard((foreign) => exportUnmatched(all, rules.noMatch, pass.options, foreign), pass),
    ];
    const faults = guards.flatMap(({ fault }) => fault ?? []);
    // What a guard still counts as checked has to stay as long as that guard.
    if (faults.length === 0) {
      await this.#removeOthers([...outcomes.keys(), ...guards.flatMap(({ name }) => name ?? [])], pass);
    }
    return {
      findings: new Map([...outcomes].map(([name, one]) => [name, findingOf(one, faults)])),
      isComplete: [...outcomes.values(), ...guards].every(({ isComplete }) => isComplete),
    };
  }

  async #export(compiled: CompiledClusterPolicy, pass: Pass): Promise<PolicyOutcome> {
    const { name } = compiled;
    try {
      const { policy, limitations } = exportToKyverno(compiled, pass.options);
      if (await this.#isTaken(policy, this.#ownerOf(name), pass)) {
        return { finding: taken(name), isComplete: true, unchecked: { wanted: compiled } };
      }
      this.#sources.set(name, compiled);
      return { finding: exported(name, limitations.map(formatLimitation)), isComplete: true };
    } catch (error) {
      pass.signal.throwIfAborted();
      this.#parts.log.warn('a policy could not be exported to Kyverno', { name, ...faultOf(error) });
      const held = this.#heldOf(name, pass);
      const unchecked = { wanted: compiled, ...(held === undefined ? {} : { held }) };
      return { finding: unavailable(error), isComplete: false, unchecked };
    }
  }

  /** From what the policy was made that Kyverno holds by that name; undefined if that is not known for sure. */
  #heldOf(name: string, { kept }: Pass): CompiledClusterPolicy | undefined {
    const held = kept.ours.get(name);
    return held !== undefined && this.#parts.policies.isAsWritten(held) ? this.#sources.get(name) : undefined;
  }

  /** Writes a guard by the first name that nobody else has. */
  async #guard(
    make: (foreign: ReadonlySet<string>) => ImageValidatingPolicy | undefined,
    pass: Pass,
  ): Promise<GuardOutcome> {
    const foreign = new Set<string>();
    try {
      while (foreign.size < maxGuardNames) {
        const policy = make(foreign);
        if (policy === undefined) return { isComplete: true };
        const { name } = policy.metadata;
        if (!(await this.#isTaken(policy, undefined, pass))) return { name, isComplete: true };
        foreign.add(name);
      }
      const fault = `there are ImageValidatingPolicies ${[...foreign].join(', ')} that are not ours; rename them`;
      return { fault, isComplete: true };
    } catch (error) {
      pass.signal.throwIfAborted();
      this.#parts.log.warn('images that no policy checks may be admitted by Kyverno', faultOf(error));
      return { fault: reasonOf(error), isComplete: false };
    }
  }

  async #isTaken(
    policy: ImageValidatingPolicy,
    owner: PolicyOwner | undefined,
    { kept, signal }: Pass,
  ): Promise<boolean> {
    const { policies, log } = this.#parts;
    const written = await policies.put(policy, owner, kept, { signal });
    const { name } = policy.metadata;
    if (written === 'written') log.info('a policy of Kyverno was written', { name });
    if (written === 'taken')
      log.warn('a policy of Kyverno that is not ours has the name of one of ours', { name });
    return written === 'taken';
  }

  async #removeOthers(names: readonly string[], { kept, signal }: Pass): Promise<void> {
    const wanted = new Set(names);
    for (const [name, one] of kept.ours) {
      if (!wanted.has(name)) await this.#parts.policies.remove(one, kept.version, { signal });
    }
    for (const name of this.#sources.keys()) if (!wanted.has(name)) this.#sources.delete(name);
  }

  #ownerOf(name: string): PolicyOwner | undefined {
    const object = this.#parts.findPolicy(name);
    const uid = object?.metadata.uid;
    if (object === undefined || uid === undefined) return undefined;
    return { apiVersion: object.apiVersion, kind: object.kind, name, uid };
  }
}

function findingOf({ finding, unchecked }: PolicyOutcome, faults: readonly string[]): Finding {
  if (faults.length > 0) return leftOpen(finding, faults.join('; '));
  if (unchecked?.wanted.mode !== 'enforce') return finding;
  return closed(finding, { isHeld: unchecked.held !== undefined });
}
