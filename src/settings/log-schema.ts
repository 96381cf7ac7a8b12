import { z } from 'zod';
import { address, filePath } from './field-schemas.ts';

/** Services that a signing configuration may choose, by the names that `signingConfig.services` has. */
export const chosenServices = ['fulcio', 'log', 'timestampAuthority'] as const;

// Room for an own log, a public one and both of a rotation.
const maxFurtherLogs = 7;
const maxTimestampAuthorities = 8;

const logAddress = (): z.ZodType<string, string> => address().describe('Address of the transparency log.');
const logVersion = z.enum(['v1', 'v2']);

/** `log` of the settings. */
export const logSchema = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .describe('Whether each signature gets an entry in the transparency log.'),
  url: logAddress().prefault('https://rekor.sigstore.dev'),
  version: logVersion
    .default('v1')
    .describe('API of the transparency log; v2 (tiles) needs a timestamp authority and a trust root.'),
  further: z
    .array(
      z
        .strictObject({
          url: logAddress(),
          version: logVersion.default('v1').describe('Its API.'),
        })
        .describe('One more transparency log.'),
    )
    .max(maxFurtherLogs)
    .default([])
    .describe('Transparency logs that each signature gets an entry in besides the first.'),
});

/** `timestampAuthorities` of the settings. */
export const timestampAuthoritiesSchema = z
  .array(address().describe('The full address that takes queries.'))
  .max(maxTimestampAuthorities)
  .default([])
  .describe('RFC 3161 timestamp authorities; every one of them stamps each signature.');

/** `signingConfig` of the settings. */
export const signingConfigSchema = z.strictObject({
  file: filePath()
    .optional()
    .describe(
      'signing_config.json (v0.2) that chooses the services in place of their addresses here; read again when it changes.',
    ),
  services: z
    .array(z.enum(chosenServices))
    .max(chosenServices.length)
    .default([...chosenServices])
    .describe('Which services it chooses; the others keep their addresses.'),
});
