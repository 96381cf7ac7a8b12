import { presentFields } from './log-line.ts';
import type { LogEvent, LogLevel } from './log-line.ts';

/** A message of GELF 1.1 (https://go2docs.graylog.org, "GELF Payload Specification"). */
export interface GelfMessage {
  readonly version: '1.1';
  readonly host: string;
  readonly short_message: string;
  readonly full_message?: string;
  /** Seconds since the epoch, milliseconds as decimals. */
  readonly timestamp: number;
  /** Severity as syslog counts it. */
  readonly level: number;
  /** Names match `^[\w.-]*$`. */
  readonly [additional: `_${string}`]: string | number;
}

const severities: Readonly<Record<LogLevel, number>> = { error: 3, warn: 4, info: 6, debug: 7 };

// Graylog refuses `_id`; the others would meet fields that it sets itself, and be dropped.
const reserved: ReadonlySet<string> = new Set([
  'id',
  'host',
  'level',
  'message',
  'short_message',
  'full_message',
  'source',
  'streams',
  'timestamp',
  'version',
]);

const maxFields = 100;
const maxNameLength = 100;
const maxShortLength = 2000;

/**
 * The message that an event becomes: `summary` or the event's own message is `short_message`, `explanation` or a stack
 * is `full_message`, every other field an additional one. Pure. Names that GELF does not take are mended, values that
 * are neither text nor number become text, and of more than 100 fields the first are kept.
 */
export function gelfMessage(event: LogEvent, options: { readonly host: string }): GelfMessage {
  const { time, level, message, fields } = event;
  const { summary, explanation, ...others } = fields;
  const full = explanation ?? fields['stack'];
  const additional = presentFields(others)
    .filter(([name]) => name !== 'stack')
    .slice(0, maxFields)
    .map(([name, value]) => [additionalName(name), additionalValue(value)]);
  const [whole = ''] = presentFields({ explanation: full }).map(([, value]) => String(value));
  return {
    version: '1.1',
    host: options.host,
    short_message: shortText(summary === undefined ? message : String(summary)),
    ...(whole === '' ? {} : { full_message: whole.toWellFormed() }),
    timestamp: time.getTime() / 1000,
    level: severities[level],
    ...(summary === undefined ? {} : { _event: message }),
    ...(Object.fromEntries(additional) as Readonly<Record<`_${string}`, string | number>>),
  };
}

/** The message as UTF-8 JSON; it holds no null byte, since JSON escapes them. */
export function encodeGelf(message: GelfMessage): Buffer {
  return Buffer.from(JSON.stringify(message));
}

/**
 * `message` made to fit, as told by `fits`: first `full_message` is cut, in halves, then it goes, then the additional
 * fields go. What is left is at most a few KiB.
 */
export function shortenGelf(message: GelfMessage, fits: (message: GelfMessage) => boolean): GelfMessage {
  const { full_message: full = '', ...rest } = message;
  for (let length = full.length; length > 0; length = Math.floor(length / 2)) {
    const text = length === full.length ? full : `${full.slice(0, length).toWellFormed()}...`;
    const candidate: GelfMessage = { ...rest, full_message: text };
    if (fits(candidate)) return candidate;
  }
  if (fits(rest)) return rest;
  const { version, host, short_message, timestamp, level } = message;
  return { version, host, short_message, timestamp, level };
}

function additionalName(name: string): string {
  const legal = name.replaceAll(/[^\w.-]/g, '_').slice(0, maxNameLength);
  return reserved.has(legal) ? `_${legal}_` : `_${legal}`;
}

function additionalValue(value: string | number | boolean): string | number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  return String(value).toWellFormed();
}

// Graylog refuses a message whose short_message is empty.
function shortText(text: string): string {
  const short = text.length > maxShortLength ? `${text.slice(0, maxShortLength)}...` : text;
  return short.trim() === '' ? '-' : short.toWellFormed();
}
