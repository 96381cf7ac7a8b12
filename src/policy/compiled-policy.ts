import type { AppError } from '../model/errors.ts';
import type { Repository } from '../model/image-reference.ts';
import type { EvidenceLayout } from '../model/signing-record.ts';
import type { ExpectedSigner } from '../signing/verification.ts';
import type { ClusterImagePolicy } from './cluster-image-policy.ts';
import type { CompiledPolicy } from './evaluation/policy-engine.ts';
import type { AuthorityDemands } from './evidence-finding.ts';
import type { PolicyScope } from './policy-matching.ts';
import type { PolicyBody } from './policy-schema.ts';
import type { TypedPredicateName } from './typed-predicate.ts';

/** An attestation that an authority asks for. */
export interface CompiledAttestation {
  readonly name: string;
  /** The full URI. */
  readonly predicateType: string;
  /** Absent: that there is one suffices. */
  readonly policy?: CompiledPolicy;
  /** The Go type that its predicate is judged as; absent: as it was attested. */
  readonly typed?: TypedPredicateName;
}

/** An authority that decides without looking. */
export interface StaticAuthority {
  readonly kind: 'static';
  readonly name: string;
  readonly action: 'pass' | 'fail';
  readonly message: string;
}

/** An authority that wants evidence. */
export interface SigningAuthority {
  readonly kind: 'keyless' | 'key';
  readonly name: string;
  readonly signer: ExpectedSigner;
  readonly demands: AuthorityDemands;
  readonly layouts: readonly EvidenceLayout[];
  /** Where evidence lies, if not beside the image. */
  readonly repository?: Repository;
  /** `HOST[:PORT]` that evidence lies in, at the image's own path. */
  readonly registry?: string;
  /** Of the evidence's tags: `<prefix>sha256-<hex>.sig`. */
  readonly tagPrefix?: string;
  /** Secrets in the namespace of the judged object with the credentials for the evidence; absent: those of the image. */
  readonly pullSecrets?: readonly string[];
  /** Whether the image itself must be signed: always in strict mode, in permissive mode without attestations only. */
  readonly wantsSignature: boolean;
  readonly attestations: readonly CompiledAttestation[];
}

export type CompiledAuthority = StaticAuthority | SigningAuthority;

/** The policy of a whole ClusterImagePolicy, over what its authorities found. */
export interface CompiledWholePolicy {
  readonly policy: CompiledPolicy;
  readonly includes: Pick<
    PolicyBody,
    'fetchConfigFile' | 'includeSpec' | 'includeObjectMeta' | 'includeTypeMeta'
  >;
}

/** A policy that is ready to judge; with a fault it denies what it is about. */
export interface CompiledClusterPolicy extends PolicyScope {
  readonly name: string;
  readonly mode: ClusterImagePolicy['mode'];
  readonly evaluation: ClusterImagePolicy['evaluation'];
  readonly exceptions: ClusterImagePolicy['exceptions'];
  readonly authorities: readonly CompiledAuthority[];
  readonly whole?: CompiledWholePolicy;
  readonly fault?: AppError;
}
