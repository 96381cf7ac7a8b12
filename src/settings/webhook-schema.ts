import { z } from 'zod';
import { duration, listenAddress } from './field-schemas.ts';

const cache = z
  .strictObject({
    entries: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(4096)
      .describe('Results that are remembered, one per image and policy.'),
    admittedFor: duration({ min: '0s', max: '24h' })
      .prefault('1h')
      .describe('How long a policy that an image has passed is not asked again.'),
    deniedFor: duration({ min: '0s', max: '1h' })
      .prefault('10s')
      .describe('How long a policy that an image has failed is not asked again.'),
  })
  .transform(({ entries, admittedFor, deniedFor }) => ({
    entries,
    admittedForMs: admittedFor,
    deniedForMs: deniedFor,
  }));

/** `spec.webhook`; durations come out in milliseconds. */
export const webhookSchema = z
  .strictObject({
    address: listenAddress()
      .default(':8443')
      .describe('Where the webhook serves HTTPS; without a host on all interfaces.'),
    timeout: duration({ min: '2s', max: '30s' })
      .prefault('10s')
      .describe('timeoutSeconds of the WebhookConfigurations; answers are given one second earlier.'),
    resolveTags: z
      .boolean()
      .default(true)
      .describe('Whether tags of images that a policy matches are replaced by digests.'),
    unchangedImages: z
      .enum(['admit', 'judge'])
      .default('admit')
      .describe('Whether an update judges images again that the object had already.'),
    cache: cache.prefault({}).describe('Results of judging that are remembered.'),
    policyResync: duration({ min: '1m', max: '168h' })
      .prefault('10h')
      .describe('How often policies are compiled anew, though nothing of them changed.'),
    trustRootResync: duration({ min: '1m', max: '168h' })
      .prefault('24h')
      .describe('How often trust roots are fetched anew.'),
  })
  .transform(({ timeout, policyResync, trustRootResync, ...rest }) => ({
    ...rest,
    timeoutMs: timeout,
    policyResyncMs: policyResync,
    trustRootResyncMs: trustRootResync,
  }));
