import { z } from 'zod';
import { address, registryHost } from './field-schemas.ts';
import { provenanceFormats } from './provenance-formats.ts';

const namespacePattern = z
  .string()
  .max(63)
  .regex(/^(?:\*|[a-z0-9][a-z0-9-]*\*?)$/, 'must be a name of a namespace, a beginning followed by *, or *');

const grant = z
  .strictObject({
    namespaces: z
      .array(namespacePattern)
      .min(1)
      .max(1000)
      .describe('Namespaces that the grant is for: names, beginnings followed by *, or * for all.'),
    formats: z
      .array(z.enum(provenanceFormats))
      .max(16)
      .default([])
      .describe('Formats of provenance that they may choose.'),
    builderIds: z
      .array(z.string().min(1).max(2048))
      .max(100)
      .default([])
      .describe('Builder ids that they may state; {namespace} stands for the name of the namespace.'),
    signers: z
      .array(z.enum(['serviceAccount', 'keySecret']))
      .max(2)
      .default([])
      .describe(
        'Signers of their own that they may name: a ServiceAccount or a key in a Secret, in their namespace.',
      ),
    logs: z
      .array(address())
      .max(100)
      .default([])
      .describe('Transparency logs that they may choose, by address.'),
    registryHosts: z
      .array(registryHost())
      .max(100)
      .default([])
      .describe('Registries for which they may bring a certificate authority of their own.'),
  })
  .describe('What some namespaces may set.');

/** `spec.policies`: what SigningPolicies may say besides what only narrows. */
export const policiesSchema = z.strictObject({
  skip: z
    .enum(['allow', 'refuse'])
    .default('allow')
    .describe('Whether a SigningPolicy may have runs of its namespace left unsigned.'),
  grants: z
    .array(grant)
    .max(100)
    .default([])
    .describe('What certain namespaces may set besides; every grant that names a namespace counts.'),
});
