import { z } from 'zod';
import { address, duration, objectName, registryHost } from './field-schemas.ts';
import { provenanceFormats } from './provenance-formats.ts';
import { authorityRef } from './registry-schema.ts';

// A pattern in a CRD has no flags.
// eslint-disable-next-line regexp/use-ignore-case
const labelPattern = /^(?:[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)?$/;
const labelValue = z.string().max(63).regex(labelPattern, 'must be a label value');

const names = z.array(z.string().min(1).max(253)).max(100);

const selector = z
  .strictObject({
    matchLabels: z
      .record(z.string(), labelValue)
      .optional()
      .describe('Labels that a run must carry, all of them.'),
    pipelines: names
      .optional()
      .describe('Names of pipelines whose runs are meant; absent: runs of any and of none.'),
    tasks: names.optional().describe('Names of tasks whose runs are meant; absent: runs of any and of none.'),
  })
  .optional()
  .describe('Runs of this namespace that the policy speaks of; absent: all of them.');

const provenance = z
  .strictObject({
    enabled: z.boolean().optional().describe('false: no provenance is made.'),
    format: z
      .enum(provenanceFormats)
      .optional()
      .describe('Format of provenance; another one than the cluster has by grant only.'),
    builderId: z
      .string()
      .min(1)
      .max(2048)
      .optional()
      .describe('Builder id that provenance states; another one than the cluster has by grant only.'),
  })
  .optional()
  .describe('What is stated about how a run built its images.');

const signer = z
  .strictObject({
    serviceAccount: objectName()
      .optional()
      .describe('ServiceAccount of this namespace that keyless certificates are for; by grant only.'),
    keySecret: objectName()
      .optional()
      .describe(
        'Secret of this namespace with the private key, as the ChainwrightConfig has it; by grant only.',
      ),
  })
  .refine(
    (value) => (value.serviceAccount === undefined) !== (value.keySecret === undefined),
    'must name either a serviceAccount or a keySecret',
  )
  .optional()
  .describe("Who signs, instead of the cluster's signer.");

const registry = z
  .strictObject({
    host: registryHost().describe('HOST or HOST:PORT as in image references.'),
    credentials: z
      .strictObject({ name: objectName().describe('Name of the Secret, in this namespace.') })
      .optional()
      .describe(
        "Secret with a docker config that is used after the credentials of the run's ServiceAccount.",
      ),
    ca: authorityRef
      .optional()
      .describe(
        "ConfigMap or Secret of this namespace with certificate authorities of the registry; by grant only. Credentials of other namespaces, the controller's among them, are not used there then.",
      ),
  })
  .describe('How one registry is spoken to for these runs.');

/**
 * `spec` of a SigningPolicy: what a team asks of the signing of its own namespace's runs. Every field can only narrow what
 * the ChainwrightConfig says, or choose among what it grants.
 */
export const signingPolicySchema = z.strictObject({
  selector,
  action: z
    .enum(['Sign', 'Skip'])
    .optional()
    .describe(
      'Sign (the default): as the ChainwrightConfig says, within the bounds below. Skip: these runs are not signed.',
    ),
  repositories: z
    .array(
      z
        .string()
        .max(512)
        .regex(/^[\w.:-]+(?:\/[\w.-]+)*(?:\/\*{1,2})?$/, 'must be HOST/PATH, HOST/PATH/* or HOST/PATH/**'),
    )
    .min(1)
    .max(100)
    .optional()
    .describe(
      'The only repositories whose images these runs may get signed, as HOST/PATH; at its end * stands for one further part, ** for any number.',
    ),
  logRequired: z
    .literal(true)
    .optional()
    .describe('Nothing is signed while the ChainwrightConfig has the transparency log switched off.'),
  provenance,
  signature: z
    .strictObject({ enabled: z.boolean().optional().describe('false: images themselves are not signed.') })
    .optional()
    .describe('Signatures of images.'),
  signer,
  log: z
    .strictObject({
      url: address().optional().describe('Address of the transparency log; another one by grant only.'),
    })
    .optional()
    .describe('The transparency log.'),
  layouts: z
    .strictObject({
      tags: z.boolean().optional().describe("false: nothing is stored under cosign's tags."),
      referrers: z.boolean().optional().describe('false: nothing is stored as referrers.'),
    })
    .refine(
      (value) => value.tags !== false || value.referrers !== false,
      'tags and referrers must not both be off',
    )
    .optional()
    .describe('How signatures and attestations lie in the registry.'),
  registries: z
    .array(registry)
    .max(100)
    .optional()
    .describe('How registries are spoken to, one item per host.'),
  sbom: z
    .strictObject({ enabled: z.boolean().optional().describe('false: no SBOM is made.') })
    .optional()
    .describe('Bills of materials.'),
  retry: z
    .strictObject({
      base: duration({ min: '100ms', max: '10m' })
        .optional()
        .describe("Shortest wait before a retry; longer than the cluster's only."),
    })
    .optional()
    .describe('Waiting between attempts.'),
});

/** What a SigningPolicy says; durations in milliseconds. */
export type SigningPolicySpec = z.output<typeof signingPolicySchema>;
