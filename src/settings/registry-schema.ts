import { z } from 'zod';
import { filePath, namespaceName, objectName, registryHost } from './field-schemas.ts';

/** Where a bundle of certificate authorities lies. */
export const authorityRef = z.strictObject({
  kind: z.enum(['ConfigMap', 'Secret']).describe('Kind of the object.'),
  name: objectName().describe('Its name.'),
  key: z
    .string()
    .max(253)
    .regex(/^[\w.-]+$/, 'must be a key of a ConfigMap or Secret')
    .default('ca.crt')
    .describe('The key that holds certificates as PEM.'),
});

/** An item of `spec.registries`. */
export const registrySchema = z
  .strictObject({
    host: registryHost().describe(
      'HOST or HOST:PORT as in image references; * stands for every registry that is not listed.',
    ),
    caFile: filePath()
      .optional()
      .describe(
        'PEM file with certificate authorities that are trusted for this registry, besides those of the system.',
      ),
    ca: authorityRef
      .extend({
        namespace: namespaceName()
          .optional()
          .describe(
            'Namespace of the object; absent: that of the controller. From another one: only credentials of that same namespace are used there.',
          ),
      })
      .optional()
      .describe('ConfigMap or Secret with such authorities, besides those of caFile.'),
    credentials: z
      .strictObject({
        namespace: namespaceName()
          .optional()
          .describe('Namespace of the Secret; absent: that of the controller.'),
        name: objectName().describe('Name of the Secret.'),
      })
      .optional()
      .describe(
        "Secret with a docker config that is used for this registry, after the credentials of the run's ServiceAccount.",
      ),
    insecure: z
      .boolean()
      .default(false)
      .describe('Plain HTTP allowed and certificates not checked. For tests only.'),
  })
  .describe('How one registry is spoken to.');
