import { AppError, isAppError } from '../model/errors.ts';
import { parseRepository } from '../model/image-reference.ts';
import type { ClusterImagePolicy } from './cluster-image-policy.ts';
import { issuersOf, signerOf } from './authority-signer.ts';
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
import { isTypedPredicate } from './typed-predicate.ts';

/** What compiling takes. */
export interface CompilerParts {
  readonly engine: Pick<PolicyEngine, 'compile'>;
  readonly references: PolicyReferences;
  readonly signal: AbortSignal;
}

type NamedAuthority = ClusterImagePolicy['authorities'][number];
type EvidencePlace = Pick<SigningAuthority, 'registry' | 'repository' | 'tagPrefix' | 'pullSecrets'>;

/** A tag has at most 128 characters, of which digest and suffix take 75. */
const tagPrefixPattern = /^(?:\w[\w.-]{0,49})?$/;

/**
 * Compiles a policy once: globs, identities, keys, trust roots, CUE and Rego. A fault of the policy itself is kept in it,
 * so that it denies what it is about instead of opening the door. Throws passing faults, such as a server being away,
 * and those of the engine.
 */
export async function compileClusterPolicy(
  policy: ClusterImagePolicy,
  parts: CompilerParts,
): Promise<CompiledClusterPolicy> {
  const { name, mode, evaluation, exceptions, match } = policy;
  const scope = { name, mode, evaluation, exceptions, match, globs: policy.images.map(compileGlob) };
  try {
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
  const { references } = parts;
  const issuers = await issuersOf(authority, references);
  const demands = await demandsOf(authority, policy, references);
  return {
    kind: key === undefined ? 'keyless' : 'key',
    name,
    signer: await signerOf(authority, references),
    demands: issuers === undefined ? demands : { ...demands, issuers },
    layouts: layoutsOf(authority),
    ...placeOf(authority, policy),
    wantsSignature: policy.evaluation === 'strict' || attestations.length === 0,
    attestations: await Promise.all(attestations.map((one) => compileAttestation(one, policy, parts))),
  };
}

/** Where the evidence lies, if not beside the image. A registry alone stands for the image's own path there. */
function placeOf({ source = [] }: NamedAuthority, { name: object }: ClusterImagePolicy): EvidencePlace {
  const [{ oci = '', tagPrefix = '', signaturePullSecrets = [] } = {}] = source;
  const pullSecrets = signaturePullSecrets.flatMap(({ name = '' }) => (name === '' ? [] : [name]));
  if (!tagPrefixPattern.test(tagPrefix)) {
    throw new AppError('ERR_POLICY_INVALID', `"${tagPrefix.slice(0, 80)}" begins no tag`, {
      kind: 'permanent',
      object,
      remedy: 'Write tagPrefix in letters, digits, "_", "." and "-", at most 50 of them.',
    });
  }
  const isRegistry = !oci.includes('/') && /[.:]/.test(oci);
  return {
    ...(oci === ''
      ? {}
      : isRegistry
        ? { registry: parseRepository(`${oci}/any`).registry }
        : { repository: parseRepository(oci) }),
    ...(tagPrefix === '' ? {} : { tagPrefix }),
    ...(pullSecrets.length === 0 ? {} : { pullSecrets }),
  };
}

/** The reference knows the tag layout alone unless told otherwise; here both count unless one is asked for. */
function layoutsOf({ signatureFormat }: AuthoritySpec): readonly ('tag' | 'referrer')[] {
  if (signatureFormat === 'bundle') return ['referrer'];
  return signatureFormat === 'legacy' ? ['tag'] : ['tag', 'referrer'];
}

async function compileAttestation(
  { name = '', predicateType = '', policy: body }: AttestationSpec,
  { name: policy, evaluation }: ClusterImagePolicy,
  parts: CompilerParts,
): Promise<CompiledAttestation> {
  const attestation = { name, predicateType: resolvePredicateType(predicateType) };
  if (body === undefined) return attestation;
  const compiled = await compileBody(body, `ClusterImagePolicy ${policy}, attestation ${name}`, parts);
  const isTyped = evaluation === 'permissive' && isTypedPredicate(predicateType);
  return { ...attestation, policy: compiled, ...(isTyped ? { typed: predicateType } : {}) };
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
  body: PolicyBody,
  object: string,
  { engine, references, signal }: CompilerParts,
): Promise<CompiledPolicy> {
  const data = await textOf(body, references);
  return engine.compile({ type: body.type === 'rego' ? 'rego' : 'cue', data, object }, { signal });
}

async function textOf(
  { data = '', configMapRef, remote }: PolicyBody,
  references: PolicyReferences,
): Promise<string> {
  if (configMapRef !== undefined) {
    return references.findConfigMapEntry(configMapRef.name ?? '', configMapRef.key ?? '');
  }
  if (remote === undefined) return data;
  return references.fetchRemotePolicy({ url: remote.url ?? '', sha256sum: remote.sha256sum ?? '' });
}
