import { isAppError } from '../model/errors.ts';
import type { AppError } from '../model/errors.ts';
import { parseRepository } from '../model/image-reference.ts';
import type { ClusterImagePolicy } from './cluster-image-policy.ts';
import { signerOf } from './authority-signer.ts';
import { demandsOf } from './authority-demands.ts';
import type {
  CompiledAttestation,
  CompiledAuthority,
  CompiledClusterPolicy,
  CompiledWholePolicy,
  SigningAuthority,
} from './compiled-policy.ts';
import type { CompiledPolicy, PolicyEngine } from './evaluation/policy-engine.ts';
import type { PolicyReferences } from './policy-references.ts';
import { compileGlob } from './image-glob.ts';
import type { AttestationSpec, AuthoritySpec, PolicyBody } from './policy-schema.ts';
import { resolvePredicateType } from './predicate-type.ts';
import { listUnsupportedFields, unsupported } from './unsupported-field.ts';

/** What compiling takes. */
export interface CompilerParts {
  readonly engine: PolicyEngine;
  readonly references: PolicyReferences;
  readonly signal: AbortSignal;
}

type NamedAuthority = ClusterImagePolicy['authorities'][number];

/**
 * Compiles a policy once: globs, identities, keys, trust roots, CUE and Rego. A fault of the policy itself is kept in it,
 * so that it denies what it is about instead of opening the door. Throws passing faults, such as a server being away,
 * and those of the engine.
 */
export async function compileClusterPolicy(
  policy: ClusterImagePolicy,
  parts: CompilerParts,
): Promise<CompiledClusterPolicy> {
  const { name, mode, evaluation, match } = policy;
  const scope = { name, mode, evaluation, match, globs: policy.images.map(compileGlob) };
  try {
    const unknown = listUnsupportedFields(policy);
    if (unknown.length > 0) throw unsupported(name, unknown);
    const authorities = await Promise.all(
      policy.authorities.map((authority) => compileAuthority(authority, policy, parts)),
    );
    const whole = await compileWhole(policy, parts);
    return { ...scope, authorities, ...(whole === undefined ? {} : { whole }) };
  } catch (error) {
    if (!isAppError(error) || !isOfPolicy(error)) throw error;
    return { ...scope, authorities: [], fault: error };
  }
}

/** An engine that cannot be loaded is nothing that the policy's author could mend. */
function isOfPolicy({ kind, code }: AppError): boolean {
  return kind === 'permanent' && !code.startsWith('ERR_POLICY_ENGINE_');
}

async function compileAuthority(
  authority: NamedAuthority,
  policy: ClusterImagePolicy,
  parts: CompilerParts,
): Promise<CompiledAuthority> {
  const { name, attestations = [], static: rule, key } = authority;
  if (rule !== undefined) {
    return {
      kind: 'static',
      name,
      action: rule.action === 'pass' ? 'pass' : 'fail',
      message: rule.message ?? '',
    };
  }
  return {
    kind: key === undefined ? 'keyless' : 'key',
    name,
    signer: await signerOf(authority, policy, parts.references),
    demands: await demandsOf(authority, policy, parts.references),
    layouts: layoutsOf(authority),
    ...placeOf(authority),
    wantsSignature: policy.evaluation === 'strict' || attestations.length === 0,
    attestations: await Promise.all(
      attestations.map((one) =>
        compileAttestation(one, `${policy.name}, attestation ${one.name ?? ''}`, parts),
      ),
    ),
  };
}

/** Where the evidence lies, if not beside the image. */
function placeOf({ source = [] }: NamedAuthority): Pick<SigningAuthority, 'repository'> {
  const [{ oci = '' } = {}] = source;
  return oci === '' ? {} : { repository: parseRepository(oci) };
}

/** The reference knows the tag layout alone unless told otherwise; here both count unless one is asked for. */
function layoutsOf({ signatureFormat }: AuthoritySpec): readonly ('tag' | 'referrer')[] {
  if (signatureFormat === 'bundle') return ['referrer'];
  return signatureFormat === 'legacy' ? ['tag'] : ['tag', 'referrer'];
}

async function compileAttestation(
  { name = '', predicateType = '', policy }: AttestationSpec,
  object: string,
  parts: CompilerParts,
): Promise<CompiledAttestation> {
  const attestation = { name, predicateType: resolvePredicateType(predicateType) };
  return policy === undefined
    ? attestation
    : { ...attestation, policy: await compileBody(policy, `ClusterImagePolicy ${object}`, parts) };
}

async function compileWhole(
  policy: ClusterImagePolicy,
  parts: CompilerParts,
): Promise<CompiledWholePolicy | undefined> {
  const { policy: body, name } = policy;
  if (body === undefined) return undefined;
  return { policy: await compileBody(body, `ClusterImagePolicy ${name}`, parts), includes: body };
}

async function compileBody(
  { type, data = '', configMapRef }: PolicyBody,
  object: string,
  { engine, references, signal }: CompilerParts,
): Promise<CompiledPolicy> {
  const source =
    configMapRef === undefined
      ? data
      : await references.findConfigMapEntry(configMapRef.name ?? '', configMapRef.key ?? '');
  return engine.compile({ type: type === 'rego' ? 'rego' : 'cue', data: source, object }, { signal });
}
