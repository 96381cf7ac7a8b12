import type { LabelSelector } from '../policy-schema.ts';
import type { ObjectScope } from './exported-scope.ts';

/** Versions of `policies.kyverno.io` that are written; the schema is the same. */
export type KyvernoVersion = 'v1' | 'v1beta1';

/** Who is to have signed, as Kyverno is told (`spec.attestors[]`, kind cosign). */
export interface KyvernoAttestor {
  readonly name: string;
  readonly cosign: {
    readonly keyless?: { readonly identities: readonly KyvernoIdentity[] };
    readonly key?: { readonly data: string; readonly hashAlgorithm?: string };
    readonly ctlog?: {
      readonly url?: string;
      readonly insecureIgnoreTlog?: boolean;
      readonly insecureIgnoreSCT?: boolean;
    };
    readonly source?: { readonly repository?: string; readonly tagPrefix?: string };
    readonly tuf?: KyvernoTuf;
    readonly trustedRoot?: { readonly value: string };
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

/** An identity of a certificate. */
export interface KyvernoIdentity {
  readonly issuer?: string;
  readonly issuerRegExp?: string;
  readonly subject?: string;
  readonly subjectRegExp?: string;
}

/** The TUF repository that Kyverno visits before it verifies a certificate, whatever trust root it is given. */
export interface KyvernoTuf {
  readonly mirror: string;
  /** `root.json`, base64; absent: that of the public instance. */
  readonly root?: { readonly data: string };
}

/** A kind of attestation that is asked for. */
export interface KyvernoAttestation {
  readonly name: string;
  readonly intoto: { readonly type: string };
}

/** A check in CEL. */
export interface KyvernoValidation {
  readonly expression: string;
  readonly message: string;
}

/** An ImageValidatingPolicy (Kyverno 1.19, api/policies.kyverno.io), as far as it is written here. */
export interface ImageValidatingPolicy {
  readonly apiVersion: `policies.kyverno.io/${KyvernoVersion}`;
  readonly kind: 'ImageValidatingPolicy';
  readonly metadata: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly failurePolicy: 'Fail';
    readonly validationActions: readonly ('Deny' | 'Warn')[];
    readonly matchConstraints: ObjectScope & { readonly namespaceSelector: LabelSelector };
    readonly matchConditions: readonly { readonly name: string; readonly expression: string }[];
    readonly matchImageReferences: readonly { readonly expression: string }[];
    readonly images: readonly { readonly name: string; readonly expression: string }[];
    readonly attestors: readonly KyvernoAttestor[];
    readonly attestations: readonly KyvernoAttestation[];
    readonly validations: readonly KyvernoValidation[];
    readonly validationConfigurations: {
      readonly mutateDigest: boolean;
      readonly verifyDigest: boolean;
      readonly required: boolean;
    };
    readonly webhookConfiguration: { readonly timeoutSeconds: number };
    readonly autogen: { readonly podControllers: { readonly controllers: readonly string[] } };
  };
}

/** What holds for every policy that is exported. */
export interface ExportOptions {
  readonly version: KyvernoVersion;
  /** The namespaces that are enforced. */
  readonly namespaceSelector: LabelSelector;
  /** Absent: the public TUF repository is visited. */
  readonly tuf?: KyvernoTuf;
  /** Whether an update of an object whose spec stays the same is let through, as our webhook is told. */
  readonly unchangedImages: 'admit' | 'judge';
  /** Whether our webhook honours ImagePolicyExceptions, which Kyverno knows nothing of. */
  readonly exceptions: 'honoured' | 'off';
}
