import type { ClusterImagePolicy } from '../../policy/cluster-image-policy.ts';
import type { CompiledClusterPolicy } from '../../policy/compiled-policy.ts';
import { openPolicyEngine } from '../../policy/evaluation/policy-engine.ts';
import { compileClusterPolicy } from '../../policy/policy-compiler.ts';
import type { PolicyReferences } from '../../policy/policy-references.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import { openReferences } from './open-references.ts';
import type { ReferencesOptions } from './open-references.ts';

/** What compiles policies on the command line. */
export interface PolicyCompiling {
  /** Compiles one policy. Throws ERR_TRUST_ROOT and passing faults; what is wrong with the policy itself stays in it. */
  readonly compile: (policy: ClusterImagePolicy) => Promise<CompiledClusterPolicy>;
  readonly references: PolicyReferences;
}

/** Opens the evaluators, and finds what policies refer to when one does. */
export function openPolicyCompiling(options: ReferencesOptions): PolicyCompiling {
  const { signal, closing } = options;
  const engine = closing.use(openPolicyEngine({ clock: systemClock }));
  const references = openReferences(options);
  return { references, compile: (policy) => compileClusterPolicy(policy, { engine, references, signal }) };
}
