import { z } from 'zod';
import { address, duration, objectName } from './field-schemas.ts';

const pattern = (): z.ZodString => z.string().min(1).max(4096);

const identity = z
  .strictObject({
    subject: z.string().min(1).max(4096).optional().describe('Subject of our certificates, exactly.'),
    subjectRegExp: pattern().optional().describe('The same as an RE2 expression, found anywhere.'),
    issuer: z
      .string()
      .min(1)
      .max(4096)
      .optional()
      .describe('Only certificates in which this issuer vouches for the subject.'),
    issuerRegExp: pattern().optional().describe('The same as an RE2 expression, found anywhere.'),
  })
  .describe('An identity that is ours.');

const key = z
  .strictObject({
    data: z.string().min(1).max(16_384).describe('Public key in PEM, as cosign.pub has it.'),
  })
  .describe('A long-lived key that is ours.');

const secretKey = (description: string) =>
  z
    .strictObject({
      name: objectName().describe('Name of a Secret in the namespace of the monitor.'),
      key: z
        .string()
        .min(1)
        .max(253)
        .regex(/^[-.\w]+$/, 'must be a key of a Secret')
        .describe('Key in the Secret.'),
    })
    .describe(description);

const webhook = z.strictObject({
  url: address().describe('Address that each alarm is posted to as JSON.'),
  header: z
    .strictObject({
      name: z
        .string()
        .min(1)
        .max(100)
        .regex(/^\w[\w-]*$/, 'must be the name of an HTTP header')
        .describe('Name of the header, such as Authorization.'),
      secretRef: secretKey('Where its value is.'),
    })
    .optional()
    .describe('A header that the receiver knows us by.'),
  hmac: z
    .strictObject({ secretRef: secretKey('Where the key is.') })
    .optional()
    .describe('Sign each call with HMAC-SHA-256, in the header X-Chainwright-Signature.'),
});

/** `spec` of a LogMonitor, as the API server holds it. */
export const logMonitorSchema = z.strictObject({
  log: z
    .strictObject({
      url: address().describe('Base address of the log.'),
      apiVersion: z
        .int()
        .min(1)
        .max(2)
        .describe('1: Rekor v1; 2: Rekor v2, a log of tiles, of which each shard is a log of its own.'),
      startIndex: z
        .int()
        .min(0)
        .optional()
        .describe('Where to begin at first; the end of the log if absent.'),
    })
    .describe('The log to follow.'),
  trustRootRef: objectName()
    .optional()
    .describe(
      "TrustRoot with the keys of the log and the certificate authorities; that of the monitor's settings if absent.",
    ),
  identities: z.array(identity).max(100).optional().describe('Whose certificates are ours.'),
  keys: z.array(key).max(100).optional().describe('Which keys are ours.'),
  interval: duration({ min: '1s', max: '24h' })
    .optional()
    .describe('Pause between two looks at the log; 10s if absent.'),
  grace: duration({ min: '0s', max: '24h' })
    .optional()
    .describe('How long an entry may be without record before that is an alarm; 0s if absent.'),
  missingAfter: duration({ min: '0s', max: '24h' })
    .optional()
    .describe(
      'How long an entry that the log took from us may be missing before that is an alarm; 5m if absent.',
    ),
  unreachableAfter: duration({ min: '0s', max: '24h' })
    .optional()
    .describe('How long the log may be unreadable before that is an alarm; 10m if absent.'),
  acknowledgedAlarms: z
    .int()
    .min(0)
    .optional()
    .describe(
      'How many of the alarms somebody has looked into; the object is healthy again once that is all of them.',
    ),
  webhook: webhook.optional().describe('Who is called for each alarm.'),
});

/** `spec` of a LogMonitor that was checked; durations in milliseconds. */
export type LogMonitorSpec = z.output<typeof logMonitorSchema>;
