import { z } from 'zod';
import { filePath, listenAddress } from './field-schemas.ts';

const gelf = z
  .strictObject({
    address: z
      .string()
      .max(270)
      .regex(/^(?:udp|tcp|tls):\/\/(?:[\w.-]+|\[[\da-f:]+\]):\d{1,5}$/, {
        error: 'must be udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT',
        abort: true,
      })
      .refine((text) => URL.canParse(text) && new URL(text).port !== '0', 'must name a port from 1 to 65535')
      .describe('GELF input of Graylog: udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT.'),
    host: z
      .string()
      .max(253)
      .regex(/^[\w.-]+$/, 'must be a name of letters, digits, points, dashes and underscores')
      .default('kyverno-admission')
      .describe('The host that messages name, which Graylog shows as source.'),
    only: z
      .enum(['decisions', 'all'])
      .default('decisions')
      .describe('decisions: the decisions of the webhook; all: every log line.'),
    compression: z
      .enum(['gzip', 'none'])
      .default('gzip')
      .describe('How datagrams are compressed; GELF over TCP and TLS knows no compression.'),
    caFile: filePath()
      .optional()
      .describe('PEM file with certificate authorities that are trusted for tls://, instead of the system.'),
  })
  .refine(
    (value) => value.caFile === undefined || value.address.startsWith('tls://'),
    'has a caFile without a tls:// address',
  );

/** `spec.telemetry`. */
export const telemetrySchema = z.strictObject({
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('The least severe log lines that are written.'),
  logFormat: z
    .enum(['auto', 'json', 'text'])
    .default('auto')
    .describe('json: one object a line; text: for people; auto: text on a terminal, else json.'),
  metricsAddress: listenAddress()
    .default(':9090')
    .describe('Where /metrics, /healthz and /readyz are served; without a host on all interfaces.'),
  gelf: gelf.optional().describe('Where log lines go besides standard error; absent: nowhere.'),
});
