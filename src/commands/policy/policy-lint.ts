import { isAppError } from '../../model/errors.ts';
import type { AppError } from '../../model/errors.ts';
import { nameOf, readClusterImagePolicy } from '../../policy/cluster-image-policy.ts';
import type { ClusterImagePolicy } from '../../policy/cluster-image-policy.ts';
import type { PolicyEngine } from '../../policy/evaluation/policy-engine.ts';
import { formatFieldFaults } from '../../policy/field-fault.ts';
import { listPolicyBodies, listPolicyWarnings } from '../../policy/policy-warnings.ts';
import { parseTrustRootObject } from '../../policy/trust-root-object.ts';
import { listUnsupportedFields } from '../../policy/unsupported-field.ts';
import { configMapEntryIn } from './policy-files.ts';
import type { FileObject, PolicyFiles } from './policy-files.ts';

/** What was found in one object. */
export interface LintedObject {
  readonly file: string;
  readonly kind: 'ClusterImagePolicy' | 'TrustRoot';
  readonly name: string;
  /** What the API server would refuse, and CUE or Rego that does not compile. */
  readonly faults: readonly string[];
  /** What is allowed but hardly meant. */
  readonly warnings: readonly string[];
  /** In strict mode each attestation must have these fields: those that show in the policy's text. */
  readonly requiredFields: readonly { readonly attestation: string; readonly paths: readonly string[] }[];
}

/** What linting takes. */
export interface LintParts {
  readonly engine: PolicyEngine;
  readonly namespace: string;
  readonly signal: AbortSignal;
}

/** Checks every policy and trust root of the files, without cluster or registry. */
export async function lintPolicies(files: PolicyFiles, parts: LintParts): Promise<readonly LintedObject[]> {
  const policies: LintedObject[] = [];
  for (const object of files.policies) policies.push(await lintPolicy(object, files, parts));
  return [...policies, ...files.trustRoots.map(lintTrustRoot)];
}

async function lintPolicy(
  { file, value }: FileObject,
  files: PolicyFiles,
  parts: LintParts,
): Promise<LintedObject> {
  const { policy, faults } = readClusterImagePolicy(value, parts.namespace);
  const base = { file, kind: 'ClusterImagePolicy' as const, name: nameOf(value) };
  if (policy === undefined) {
    return { ...base, faults: [formatFieldFaults(faults)], warnings: [], requiredFields: [] };
  }
  const { faults: found, requiredFields } = await lintBodies(policy, files, parts);
  const unsupported = listUnsupportedFields(policy).map((field) => `not supported yet: ${field}`);
  const warnings = listPolicyWarnings(policy);
  return { ...base, faults: [...unsupported, ...found], warnings, requiredFields };
}

async function lintBodies(
  policy: ClusterImagePolicy,
  files: PolicyFiles,
  { engine, signal }: LintParts,
): Promise<Pick<LintedObject, 'faults' | 'requiredFields'>> {
  const faults: string[] = [];
  const requiredFields: { attestation: string; paths: readonly string[] }[] = [];
  for (const { where, body } of listPolicyBodies(policy)) {
    const { configMapRef, remote, data = '', type } = body;
    if (remote !== undefined) continue;
    try {
      const source =
        configMapRef === undefined
          ? data
          : configMapEntryIn(files, configMapRef.name ?? '', configMapRef.key ?? '');
      const language = type === 'rego' ? 'rego' : 'cue';
      const compiled = await engine.compile({ type: language, data: source, object: where }, { signal });
      requiredFields.push({ attestation: where, paths: compiled.names });
      await compiled.release();
    } catch (error) {
      faults.push(`${where}: ${refusalOf(error).message}`);
    }
  }
  return { faults, requiredFields: policy.evaluation === 'strict' ? requiredFields : [] };
}

function lintTrustRoot({ file, value }: FileObject): LintedObject {
  const base = { file, kind: 'TrustRoot' as const, name: nameOf(value), warnings: [], requiredFields: [] };
  try {
    parseTrustRootObject(value);
    return { ...base, faults: [] };
  } catch (error) {
    return { ...base, faults: [refusalOf(error).message] };
  }
}

/** Only what the object itself is to blame for is a finding. */
function refusalOf(error: unknown): AppError {
  if (isAppError(error) && error.kind === 'permanent') return error;
  throw error;
}

/** What was found, as text. */
export function formatLinted(objects: readonly LintedObject[]): string {
  return objects
    .map(({ file, kind, name, faults, warnings, requiredFields }) => {
      const verdict = faults.length === 0 ? 'good' : 'refused';
      return [
        `${kind} ${name} (${file}): ${verdict}`,
        ...faults.map((fault) => `  fault: ${fault.replaceAll('\n', '\n    ')}`),
        ...warnings.map((warning) => `  warning: ${warning}`),
        ...requiredFields
          .filter(({ paths }) => paths.length > 0)
          .map(({ attestation, paths }) => `  ${attestation} must have: ${paths.join(', ')}`),
        '',
      ].join('\n');
    })
    .join('');
}
