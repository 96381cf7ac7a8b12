import { z } from 'zod';
import { objectName } from './field-schemas.ts';

/** `spec` of an ImagePolicyException. */
export const imagePolicyExceptionSchema = z.strictObject({
  policy: objectName().describe('Name of the ClusterImagePolicy that the image need not meet.'),
  image: z
    .string()
    .min(1)
    .max(512)
    .regex(/^[\w\-:/*.@]+$/, 'must be HOST/PATH@sha256:HEX or a glob as policies have them')
    .describe('HOST/PATH@sha256:HEX; a glob as in policies where the settings allow it.'),
  reason: z.string().min(10).max(1024).describe('Why the image may run all the same.'),
  requestedBy: z.string().min(1).max(256).describe('Who asked for it.'),
  approvedBy: z.string().min(1).max(256).describe('Who agreed to it.'),
  expiresAt: z
    .string()
    .max(32)
    .regex(
      /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/,
      'must be an instant such as 2026-12-24T18:00:00Z',
    )
    .describe('When it ends, RFC 3339; at most the time that the settings allow after its creation.'),
});
