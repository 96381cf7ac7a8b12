import { z } from 'zod';
import { address, duration, filePath, namespaceName, objectName, repositoryName } from './field-schemas.ts';
import { logSchema, signingConfigSchema, timestampAuthoritiesSchema } from './log-schema.ts';
import { policiesSchema } from './policies-schema.ts';
import { provenanceFormats } from './provenance-formats.ts';
import { recordsSchema } from './records-schema.ts';
import { registrySchema } from './registry-schema.ts';
import { kyvernoSchema } from './kyverno-schema.ts';
import { sbomDefaults } from './sbom-defaults.ts';
import { exceptionsSchema } from './exceptions-schema.ts';
import { scanSchema } from './scan-schema.ts';
import { telemetrySchema } from './telemetry-schema.ts';
import { webhookSchema } from './webhook-schema.ts';

const provenance = z.strictObject({
  enabled: z.boolean().default(true).describe('Whether a provenance attestation is made for each run.'),
  format: z
    .enum(provenanceFormats)
    .default('slsa/v1')
    .describe("Format, by Tekton Chains' names: slsa/v1 and in-toto both mean SLSA provenance v0.2."),
  builderId: z
    .string()
    .min(1)
    .max(2048)
    .default('https://tekton.dev/chains/v2')
    .describe('The builder.id that the provenance states: what policies ask for.'),
  storage: z
    .array(z.enum(['oci', 'tekton']))
    .min(1)
    .max(2)
    .default(['oci'])
    .describe(
      'Where provenance of images goes: oci is the registry, beside the image; tekton is annotations of the run. ' +
        'Provenance of subjects that are no images always goes to the run.',
    ),
});

const signature = z.strictObject({
  enabled: z.boolean().default(true).describe('Whether each image itself is signed.'),
});

const accountRef = z.strictObject({
  namespace: namespaceName().describe('Namespace of the ServiceAccount.'),
  name: objectName().describe('Name of the ServiceAccount.'),
});

const fulcio = z.strictObject({
  url: address().prefault('https://fulcio.sigstore.dev').describe('Address of the certificate authority.'),
  identityTokenFile: filePath()
    .default('/var/run/sigstore/cosign/oidc-token')
    .describe(
      'File with the identity token, read again when it changes; without the file a token is requested from the API server.',
    ),
  audience: z.string().min(1).max(256).default('sigstore').describe('Audience of the identity token.'),
  issuer: address()
    .optional()
    .describe(
      'Issuer that the identity token must name; a token of another issuer never leaves the controller.',
    ),
  serviceAccount: accountRef
    .optional()
    .describe(
      'ServiceAccount that the certificates are for: its token is requested from the API server, and no file is read. Absent: the one that the controller runs as.',
    ),
});

const defaultSecret = { namespace: 'tekton-chains', name: 'signing-secrets' };

const key = z
  .strictObject({
    file: filePath().optional().describe('File with the private key, PEM: PKCS#8, or as cosign encrypts it.'),
    passwordFile: filePath().optional().describe('File with the password of the private key.'),
    secret: z
      .strictObject({
        namespace: namespaceName().describe('Namespace of the Secret.'),
        name: objectName().describe('Name of the Secret.'),
      })
      .optional()
      .describe(
        'Secret with x509.pem, or with cosign.key and cosign.password; default tekton-chains/signing-secrets where no file is named.',
      ),
  })
  .refine((value) => value.file === undefined || value.secret === undefined, 'names both a file and a Secret')
  .refine(
    (value) => value.passwordFile === undefined || value.file !== undefined,
    'has a passwordFile without a file',
  )
  .transform((value) =>
    value.file === undefined && value.secret === undefined ? { ...value, secret: defaultSecret } : value,
  );

const signer = z.strictObject({
  type: z
    .enum(['keyless', 'key', 'none'])
    .default('keyless')
    .describe('keyless: certificates of Fulcio; key: a private key; none: nothing is signed.'),
  fulcio: fulcio.prefault({}).describe('For type keyless: where certificates come from.'),
  key: key.prefault({}).describe('For type key: where the private key lies.'),
});

const trustedRoot = z.strictObject({
  file: filePath()
    .optional()
    .describe(
      'trusted_root.json with the keys of Fulcio, its CT log and Rekor; absent: the public Sigstore instance.',
    ),
  trustRootRef: objectName()
    .optional()
    .describe(
      'Name of the TrustRoot object that counts where a policy names none; absent: file, or the public Sigstore instance.',
    ),
});

const storage = z.strictObject({
  layouts: z
    .strictObject({
      tags: z.boolean().default(true).describe("cosign's .sig and .att tags, for older readers."),
      referrers: z
        .boolean()
        .default(true)
        .describe('Sigstore bundles as OCI 1.1 referrers, for newer readers.'),
    })
    .prefault({})
    .describe('How signatures and attestations lie in the registry.'),
  repository: repositoryName()
    .optional()
    .describe("One repository HOST/PATH for all signature and attestation tags instead of each image's own."),
});

const sbom = z.strictObject({
  enabled: z.boolean().default(true).describe('Whether a CycloneDX SBOM attestation is made for each image.'),
  maxBytes: z
    .int()
    .min(65_536)
    .max(33_554_432)
    .default(sbomDefaults.maxBytes)
    .describe(
      'Largest SBOM in bytes; a larger one is written with less detail, and refused if that does not suffice. Public logs refuse entries of a few MiB.',
    ),
  concurrency: z
    .int()
    .min(1)
    .max(16)
    .default(sbomDefaults.concurrency)
    .describe('Images catalogued at once; each takes up to 150 MiB.'),
  builderClaims: z
    .enum(['ignore', 'attest'])
    .default('ignore')
    .describe(
      "Whether an SBOM that the build wrote itself is checked and attested too, as the builder's claim.",
    ),
  builderClaimSources: z
    .array(repositoryName())
    .max(100)
    .default([])
    .describe("Repositories HOST/PATH that a run may name its SBOM in, besides the image's own."),
  builderClaimFile: filePath()
    .optional()
    .describe('File in the image that holds the SBOM of the build, if it has it.'),
  publisher: z
    .strictObject({
      name: z.string().min(1).max(256).describe('Name of the organisation.'),
      url: address().optional().describe('Its address.'),
      email: z
        .string()
        .max(254)
        .regex(/^[\w.+-]+@[\w.-]+$/, 'must be a mail address')
        .optional()
        .describe('Where it takes questions.'),
    })
    .optional()
    .describe(
      'Who supplies the images, as their SBOMs say; absent: their label org.opencontainers.image.vendor.',
    ),
});

const controller = z
  .strictObject({
    concurrency: z.int().min(1).max(256).default(16).describe('Runs in work at once.'),
    namespaces: z
      .array(namespaceName())
      .max(1000)
      .default([])
      .describe('Namespaces whose runs are signed; empty means all.'),
    managedBy: z
      .array(z.string().min(1).max(253))
      .max(64)
      .default([])
      .describe(
        "Values of a run's spec.managedBy that are signed too, besides none and tekton.dev/pipeline.",
      ),
    retry: z
      .strictObject({
        base: duration({ min: '100ms', max: '10m' })
          .prefault('2s')
          .describe('Wait before the first retry; doubled with each.'),
        max: duration({ min: '1s', max: '24h' }).prefault('1h').describe('Longest wait between retries.'),
      })
      .transform(({ base, max }) => ({ baseMs: base, maxMs: max }))
      .prefault({})
      .describe('Waiting between attempts, with jitter. A passing fault is retried for ever.'),
    holdDeletion: duration({ min: '0s', max: '168h' })
      .prefault('1h')
      .describe('How long the deletion of a run waits for its signature; 0s: not at all.'),
  })
  .transform(({ holdDeletion, ...rest }) => ({ ...rest, holdDeletionMs: holdDeletion }));

/**
 * `spec` of a ChainwrightConfig, all optional: what is absent gets the default named here. The CRD carries the same
 * schema without the defaults, since a default that the API server fills in would outrank `chains-config`.
 */
export const settingsSchema = z.strictObject({
  provenance: provenance.prefault({}).describe('What is stated about how a run built its images.'),
  signature: signature.prefault({}).describe('Signatures of images.'),
  signer: signer.prefault({}).describe('Who signs.'),
  log: logSchema.prefault({}).describe('The transparency log.'),
  timestampAuthorities: timestampAuthoritiesSchema,
  signingConfig: signingConfigSchema
    .prefault({})
    .describe('A signing configuration of Sigstore, which tells what services to sign with.'),
  trustedRoot: trustedRoot.prefault({}).describe('What the answers of Fulcio and Rekor are checked against.'),
  storage: storage.prefault({}).describe('Where signatures and attestations go.'),
  registries: z
    .array(registrySchema)
    .max(100)
    .default([])
    .describe('How registries are spoken to, one item per host.'),
  sbom: sbom.prefault({}).describe('Bills of materials.'),
  policies: policiesSchema.prefault({}).describe('What SigningPolicies of namespaces may say.'),
  records: recordsSchema.prefault({}).describe('How long SigningRecords are kept.'),
  controller: controller.prefault({}).describe('How runs are worked off.'),
  webhook: webhookSchema.prefault({}).describe('How images are judged at admission.'),
  scan: scanSchema.prefault({}).describe('How what already runs is judged again.'),
  exceptions: exceptionsSchema.prefault({}).describe('Exceptions from policies, by ImagePolicyException.'),
  kyverno: kyvernoSchema.prefault({}).describe('Policies for a cluster that enforces with Kyverno.'),
  telemetry: telemetrySchema.prefault({}).describe('Logs, metrics and health.'),
});

/** What a source of settings may say: every field optional, durations as text. */
export type SettingsInput = z.input<typeof settingsSchema>;

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Name in keyof T]: DeepReadonly<T[Name]> }
    : T;

/** The settings in force: complete, checked, frozen; durations in milliseconds. */
export type Settings = DeepReadonly<z.output<typeof settingsSchema>>;
