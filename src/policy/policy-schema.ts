import { z } from 'zod';

const text = z.string();

/** As policy-controller's defaulter has it: an empty text is none. */
function defaulted(value: string): z.ZodPipe<z.ZodDefault<z.ZodString>, z.ZodTransform<string, string>> {
  return text.default('').transform((given) => (given === '' ? value : given));
}

const keyRef = z.strictObject({
  secretRef: z.strictObject({ name: text.exactOptional(), namespace: text.exactOptional() }).exactOptional(),
  data: text.exactOptional(),
  kms: text.exactOptional(),
  hashAlgorithm: text.exactOptional(),
});

const identity = z.strictObject({
  issuer: text.exactOptional(),
  subject: text.exactOptional(),
  issuerRegExp: text.exactOptional(),
  subjectRegExp: text.exactOptional(),
});

const keyless = z.strictObject({
  url: text.exactOptional(),
  identities: z.array(identity).exactOptional(),
  'ca-cert': keyRef.exactOptional(),
  trustRootRef: text.exactOptional(),
  insecureIgnoreSCT: z.boolean().exactOptional(),
});

const policyBody = z.strictObject({
  type: text.exactOptional(),
  data: text.exactOptional(),
  remote: z.strictObject({ url: text.exactOptional(), sha256sum: text.exactOptional() }).exactOptional(),
  configMapRef: z
    .strictObject({
      name: text.exactOptional(),
      namespace: text.exactOptional(),
      key: text.exactOptional(),
    })
    .exactOptional(),
  fetchConfigFile: z.boolean().exactOptional(),
  includeSpec: z.boolean().exactOptional(),
  includeObjectMeta: z.boolean().exactOptional(),
  includeTypeMeta: z.boolean().exactOptional(),
});

const source = z.strictObject({
  oci: text.exactOptional(),
  signaturePullSecrets: z.array(z.strictObject({ name: text.exactOptional() })).exactOptional(),
  tagPrefix: text.exactOptional(),
});

const authority = z.strictObject({
  name: text.exactOptional(),
  key: keyRef.exactOptional(),
  keyless: keyless.exactOptional(),
  static: z.strictObject({ action: text.exactOptional(), message: text.exactOptional() }).exactOptional(),
  source: z.array(source).exactOptional(),
  ctlog: z.strictObject({ url: text.exactOptional(), trustRootRef: text.exactOptional() }).exactOptional(),
  rfc3161timestamp: z.strictObject({ trustRootRef: text.exactOptional() }).exactOptional(),
  signatureFormat: text.exactOptional(),
  attestations: z
    .array(
      z.strictObject({
        name: text.exactOptional(),
        predicateType: text.exactOptional(),
        policy: policyBody.exactOptional(),
      }),
    )
    .exactOptional(),
});

const labelSelector = z.strictObject({
  matchLabels: z.record(text, text).exactOptional(),
  matchExpressions: z
    .array(
      z.strictObject({
        key: text,
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: z.array(text).exactOptional(),
      }),
    )
    .exactOptional(),
});

const match = z.strictObject({
  group: text.exactOptional(),
  version: text.exactOptional(),
  resource: text.exactOptional(),
  selector: labelSelector.exactOptional(),
});

const metadata = z.looseObject({
  name: z.string().min(1).max(253),
  annotations: z.record(text, text).exactOptional(),
});

/** The shape of a ClusterImagePolicy; what its fields may say is for policy-rules.ts. Both versions have the same shape. */
export const clusterImagePolicyShape = z.strictObject({
  apiVersion: z.enum(['policy.sigstore.dev/v1alpha1', 'policy.sigstore.dev/v1beta1']),
  kind: z.literal('ClusterImagePolicy'),
  metadata,
  spec: z
    .strictObject({
      images: z.array(z.strictObject({ glob: text.exactOptional() })).default([]),
      match: z.array(match).default([]),
      authorities: z.array(authority).default([]),
      policy: policyBody.exactOptional(),
      mode: defaulted('enforce'),
    })
    .prefault({}),
  status: z.unknown().optional(),
});

const certificateAuthority = z.strictObject({
  subject: z
    .strictObject({ organization: text.exactOptional(), commonName: text.exactOptional() })
    .exactOptional(),
  uri: text.exactOptional(),
  certChain: text.exactOptional(),
});

const transparencyLog = z.strictObject({
  baseURL: text.exactOptional(),
  hashAlgorithm: text.exactOptional(),
  publicKey: text.exactOptional(),
});

const tufTargets = {
  root: text.exactOptional(),
  targets: defaulted('targets'),
  trustedRootTarget: defaulted('trusted_root.json'),
};

/** The shape of a TrustRoot; what its fields may say is for trust-root-rules.ts. */
export const trustRootShape = z.strictObject({
  apiVersion: z.literal('policy.sigstore.dev/v1alpha1'),
  kind: z.literal('TrustRoot'),
  metadata,
  spec: z
    .strictObject({
      repository: z.strictObject({ ...tufTargets, mirrorFS: text.exactOptional() }).exactOptional(),
      remote: z.strictObject({ ...tufTargets, mirror: text.exactOptional() }).exactOptional(),
      sigstoreKeys: z
        .strictObject({
          certificateAuthorities: z.array(certificateAuthority).default([]),
          tLogs: z.array(transparencyLog).default([]),
          ctLogs: z.array(transparencyLog).default([]),
          timestampAuthorities: z.array(certificateAuthority).default([]),
        })
        .exactOptional(),
    })
    .prefault({}),
  status: z.unknown().optional(),
});

export type PolicyObject = z.output<typeof clusterImagePolicyShape>;
export type PolicySpec = PolicyObject['spec'];
export type AuthoritySpec = PolicySpec['authorities'][number];
export type AttestationSpec = NonNullable<AuthoritySpec['attestations']>[number];
export type PolicyBody = NonNullable<PolicySpec['policy']>;
export type KeyRef = NonNullable<AuthoritySpec['key']>;
export type KeylessRef = NonNullable<AuthoritySpec['keyless']>;
export type MatchRule = PolicySpec['match'][number];
export type LabelSelector = NonNullable<MatchRule['selector']>;
export type TrustRootSpec = z.output<typeof trustRootShape>['spec'];
export type SigstoreKeys = NonNullable<TrustRootSpec['sigstoreKeys']>;
export type TufRepositorySpec = NonNullable<TrustRootSpec['repository']>;
export type TufRemoteSpec = NonNullable<TrustRootSpec['remote']>;
