import { z } from 'zod';

// A pattern in a CRD has no flags.
// eslint-disable-next-line regexp/use-ignore-case
const labelPattern = /^(?:[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)?$/;
const labelValue = z.string().max(63).regex(labelPattern, 'must be a label value');

/**
 * `spec` of a SigningPolicy: what a team asks of the signing of its own namespace's runs. Every field can only
 * narrow what the ChainwrightConfig allows; none can switch on, add or redirect anything.
 */
export const signingPolicySchema = z.strictObject({
  selector: z
    .strictObject({
      matchLabels: z
        .record(z.string(), labelValue)
        .optional()
        .describe('Labels that a run must carry, all of them.'),
      pipelines: z
        .array(z.string().min(1).max(253))
        .max(100)
        .optional()
        .describe('Names of pipelines whose runs are meant; absent: runs of any and of none.'),
    })
    .optional()
    .describe('Runs of this namespace that the policy speaks of; absent: all of them.'),
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
});
