import { z } from 'zod';
import { address } from './field-schemas.ts';

const labelValue = z
  .string()
  .max(63)
  .regex(/^(?:[^\W_](?:[\w.-]*[^\W_])?)?$/, 'must be a label value');

const labelCondition = z.strictObject({
  key: z
    .string()
    .max(317)
    .regex(/^(?:[a-z0-9.-]+\/)?[\w.-]{1,63}$/, 'must be a label key')
    .describe('Label that is looked at.'),
  operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']).describe('What is asked of it.'),
  values: z.array(labelValue).max(100).optional().describe('Values, for In and NotIn.'),
});

const tuf = z.strictObject({
  mirror: address().describe('Address of the TUF repository.'),
  root: z
    .string()
    .max(1_048_576)
    .regex(/^(?:[^\W_]|[+/])+={0,2}$/, 'must be base64')
    .optional()
    .describe('Its root.json, base64; absent: that of the public Sigstore instance.'),
});

/** `spec.kyverno`. */
export const kyvernoSchema = z.strictObject({
  export: z
    .boolean()
    .default(false)
    .describe(
      'Whether the webhook keeps an ImageValidatingPolicy of Kyverno in step with each ClusterImagePolicy.',
    ),
  namespaceSelector: z
    .array(labelCondition)
    .max(32)
    .default([{ key: 'sigstore-policy', operator: 'In', values: ['enforce'] }])
    .describe('Labels of the namespaces that Kyverno enforces the policies in; all conditions have to hold.'),
  tuf: tuf
    .optional()
    .describe(
      'TUF repository that Kyverno visits before it verifies, whatever trust root it is given; absent: the public one.',
    ),
});
