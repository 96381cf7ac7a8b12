import { z } from 'zod';
import { duration, namespaceName } from './field-schemas.ts';

/** `spec.exceptions`; durations come out in milliseconds. */
export const exceptionsSchema = z
  .strictObject({
    enabled: z.boolean().default(false).describe('Whether ImagePolicyExceptions are honoured at all.'),
    namespaces: z
      .array(namespaceName())
      .max(1000)
      .default([])
      .describe('Namespaces whose exceptions are honoured; none if empty.'),
    maxDuration: duration({ min: '1m', max: '8760h' })
      .prefault('168h')
      .describe('Longest time from the creation of an exception to its end.'),
    digestOnly: z
      .boolean()
      .default(true)
      .describe('Whether an exception has to name one image by its digest; else it may be a glob.'),
  })
  .transform(({ maxDuration, ...rest }) => ({ ...rest, maxDurationMs: maxDuration }));
