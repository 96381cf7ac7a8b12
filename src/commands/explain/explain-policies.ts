import { isAppError, isPassing } from '../../model/errors.ts';
import type { AppError } from '../../model/errors.ts';
import type { CompiledClusterPolicy, SigningAuthority } from '../../policy/compiled-policy.ts';
import { compileGlob } from '../../policy/image-glob.ts';
import { isInScope } from '../../policy/policy-matching.ts';
import type { WorkloadKind } from '../../policy/policy-matching.ts';
import type { PolicyReferences } from '../../policy/policy-references.ts';
import type { TrustRoot } from '../../signing/trust-root.ts';
import type { PolicyCompiling } from '../policy/policy-compiling.ts';
import type { PolicySource } from '../policy/policy-sources.ts';

/** An image as policies choose by it. */
export interface ExplainedImage {
  /** `HOST/PATH@sha256:HEX`. */
  readonly name: string;
  readonly workload: WorkloadKind;
}

/** Policies that are ready. */
export interface ExplainingPolicies {
  readonly policies: readonly CompiledClusterPolicy[];
  /** Of all of them. */
  readonly authorities: readonly SigningAuthority[];
  /** Of those that are about the image. */
  readonly judging: readonly SigningAuthority[];
  readonly obstacles: readonly string[];
}

/**
 * Compiles all policies: whom any of them knows may have signed. What is away for now is an obstacle for a policy that is
 * about other images, and thrown for one that judges this one.
 */
export async function compilePolicies(
  source: PolicySource | undefined,
  { name, workload }: ExplainedImage,
  compile: PolicyCompiling['compile'],
): Promise<ExplainingPolicies> {
  const obstacles: string[] = [];
  const compiling = (source?.policies ?? []).map(async (policy) => {
    const scope = { globs: policy.images.map(compileGlob), match: policy.match };
    try {
      return [await compile(policy)];
    } catch (error) {
      if (isInScope(scope, name, workload) || !isAwayForNow(error)) throw error;
      obstacles.push(`policy ${policy.name}, which is about other images: ${error.message}`);
      return [];
    }
  });
  const policies = [...(await Promise.all(compiling)).flat(), ...(source?.broken ?? [])];
  const judging = policies.filter((policy) => isInScope(policy, name, workload));
  return { policies, authorities: signingIn(policies), judging: signingIn(judging), obstacles };
}

/**
 * The default trust root and those of authorities, each once. The default one is left out, as an obstacle, if it is away
 * for now and an authority has its own. Throws ERR_TRUST_ROOT, ERR_TRUST_ROOT_TUF.
 */
export async function findTrustRoots(
  references: Pick<PolicyReferences, 'findTrustRoot'>,
  authorities: readonly SigningAuthority[],
): Promise<{ readonly trustRoots: readonly TrustRoot[]; readonly obstacles: readonly string[] }> {
  const own = authorities.map(({ demands }) => demands.trustRoot);
  try {
    return { trustRoots: distinct([await references.findTrustRoot(undefined), ...own]), obstacles: [] };
  } catch (error) {
    if (own.length === 0 || !isAwayForNow(error)) throw error;
    return { trustRoots: distinct(own), obstacles: [`the default trust root: ${error.message}`] };
  }
}

function isAwayForNow(error: unknown): error is AppError {
  return isAppError(error) && isPassing(error);
}

function signingIn(policies: readonly CompiledClusterPolicy[]): readonly SigningAuthority[] {
  return policies.flatMap(({ authorities }) =>
    authorities.filter((authority): authority is SigningAuthority => authority.kind !== 'static'),
  );
}

function distinct(roots: readonly (TrustRoot | undefined)[]): readonly TrustRoot[] {
  const byVersion = new Map(
    roots.flatMap((root) => (root === undefined ? [] : [[root.version, root] as const])),
  );
  return [...byVersion.values()];
}
