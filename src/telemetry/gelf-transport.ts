import { Writable } from 'node:stream';
import type { LogFields } from '../model/log.ts';
import { parseGelfAddress } from './gelf-carrier.ts';
import { decisionMessage } from './decision-line.ts';
import type { GelfCounts } from './gelf-counts.ts';
import { datagramCarrier } from './gelf-datagrams.ts';
import { gelfMessage } from './gelf-message.ts';
import { GelfShipper } from './gelf-shipper.ts';
import { streamCarrier } from './gelf-stream.ts';
import type { LogEvent } from './log-line.ts';

/** Where log lines go besides their stream: `telemetry.gelf` of the settings. */
export interface GelfOptions {
  /** `udp://HOST:PORT`, `tcp://HOST:PORT` or `tls://HOST:PORT`. */
  readonly address: string;
  /** What messages name as their host; Graylog shows it as source. */
  readonly host: string;
  /** Whether only decisions are sent, or every line. */
  readonly only: 'decisions' | 'all';
  /** For UDP. */
  readonly compression: 'gzip' | 'none';
  /** PEM file with authorities, for TLS. */
  readonly caFile?: string | undefined;
}

/** A way to a GELF input. */
export interface GelfTransport {
  /** For winston: takes objects with an `event`. */
  readonly stream: Writable;
  readonly counts: () => GelfCounts;
  /** Sends what waits within `deadlineMs`, and drops the rest. */
  close(options: { readonly deadlineMs: number }): Promise<void>;
}

/** Sends events to a GELF input; `report` hears of what goes wrong with that. Connects only when there is an event. */
export function createGelfTransport(
  options: GelfOptions,
  report: (level: 'info' | 'warn', message: string, fields: LogFields) => void,
): GelfTransport {
  const target = parseGelfAddress(options.address);
  const carrier =
    target.protocol === 'udp'
      ? datagramCarrier(target, options.compression)
      : streamCarrier(target, options.caFile);
  const shipper = new GelfShipper({ carrier, report });
  const stream = new Writable({
    objectMode: true,
    write: ({ event }: { readonly event: LogEvent }, _encoding, next) => {
      if (options.only === 'all' || event.message === decisionMessage) {
        shipper.send(gelfMessage(event, { host: options.host }));
      }
      next();
    },
  });
  return {
    stream,
    counts: () => shipper.counts,
    close: (within) => shipper.close(within),
  };
}
