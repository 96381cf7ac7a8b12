import { isAppError, isPassing, messageOf } from '../../model/errors.ts';
import type { AppError } from '../../model/errors.ts';
import { nameOf, readClusterImagePolicy } from '../../policy/cluster-image-policy.ts';
import type { ClusterImagePolicy } from '../../policy/cluster-image-policy.ts';
import type { PolicyEngine } from '../../policy/evaluation/policy-engine.ts';
import { formatFieldFaults } from '../../policy/field-fault.ts';
import type { PolicyBody } from '../../policy/policy-schema.ts';
import { listPolicyBodies, listPolicyWarnings } from '../../policy/policy-warnings.ts';
import { parseTrustRootObject } from '../../policy/trust-root-object.ts';
import { configMapEntryIn } from './policy-files.ts';
import type { FileObject, PolicyFiles } from './policy-files.ts';
import type { RemoteReferences } from './remote-references.ts';

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
  /** Policies at https addresses, as their text. */
  readonly remote: Pick<RemoteReferences, 'fetchRemotePolicy'>;
  readonly signal: AbortSignal;
}

/** Checks every policy and trust root of the files, without cluster or registry; texts at https addresses are fetched. */
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
  const { faults: found, unread, requiredFields } = await lintBodies(policy, files, parts);
  return { ...base, faults: found, warnings: [...listPolicyWarnings(policy), ...unread], requiredFields };
}

async function lintBodies(
  policy: ClusterImagePolicy,
  files: PolicyFiles,
  parts: LintParts,
): Promise<Pick<LintedObject, 'faults' | 'requiredFields'> & { readonly unread: readonly string[] }> {
  const faults: string[] = [];
  const unread: string[] = [];
  const requiredFields: { attestation: string; paths: readonly string[] }[] = [];
  for (const { where, body } of listPolicyBodies(policy)) {
    try {
      requiredFields.push({ attestation: where, paths: await compileBody(body, where, { files, parts }) });
    } catch (error) {
      // A server that is away says nothing about the policy.
      const isUnread = isPassing(error) && body.remote !== undefined;
      if (isUnread) unread.push(`${where}: ${messageOf(error)}`);
      else faults.push(`${where}: ${refusalOf(error).message}`);
    }
  }
  return { faults, unread, requiredFields: policy.evaluation === 'strict' ? requiredFields : [] };
}

/** Compiles a body; gives the fields that it names. */
async function compileBody(
  { configMapRef, remote, data = '', type }: PolicyBody,
  object: string,
  { files, parts }: { readonly files: PolicyFiles; readonly parts: LintParts },
): Promise<readonly string[]> {
  const { engine, signal } = parts;
  const { url = '', sha256sum = '' } = remote ?? {};
  const text =
    configMapRef !== undefined
      ? configMapEntryIn(files, configMapRef.name ?? '', configMapRef.key ?? '')
      : remote === undefined
        ? data
        : await parts.remote.fetchRemotePolicy({ url, sha256sum });
  const language = type === 'rego' ? 'rego' : 'cue';
  const compiled = await engine.compile({ type: language, data: text, object }, { signal });
  await compiled.release();
  return compiled.names;
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
