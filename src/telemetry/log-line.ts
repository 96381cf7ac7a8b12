import type { LogFields } from '../model/log.ts';

/** The levels of a log, most severe first. */
export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];

/** One event on its way to a line. */
export interface LogEvent {
  readonly time: Date;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

// A value longer than this is a body that should not have been logged; an explanation of a decision may be long.
const maxValueLength = 4096;
const maxExplanationLength = 32_768;
const reserved: ReadonlySet<string> = new Set(['time', 'level', 'message']);
const colours: Readonly<Record<LogLevel, number>> = { error: 31, warn: 33, info: 32, debug: 90 };

/** One JSON object: `time` (RFC 3339, UTC), `level`, `message`, then the fields; never longer than its values' bound allows. */
export function formatJson(event: LogEvent): string {
  const { time, level, message, fields } = event;
  const safe = presentFields(fields).map(([name, value]) => [reserved.has(name) ? `${name}_` : name, value]);
  return JSON.stringify({ time: time.toISOString(), level, message, ...Object.fromEntries(safe) });
}

/** A line for people: local time of day, level, message, `name=value`; control characters are escaped. */
export function formatText(event: LogEvent, options: { readonly colour: boolean }): string {
  const { time, level, message, fields } = event;
  const paint = (text: string, code: number): string =>
    options.colour ? `\u001b[${code}m${text}\u001b[0m` : text;
  const rest = presentFields(fields).map(([name, value]) => `${paint(`${name}=`, 90)}${quoteText(value)}`);
  const clock = time.toTimeString().slice(0, 8);
  return [paint(clock, 90), paint(level.toUpperCase().padEnd(5), colours[level]), message, ...rest].join(' ');
}

/** The fields that have a value, as text, number or boolean of bounded length. */
export function presentFields(
  fields: LogFields,
): readonly (readonly [name: string, value: string | number | boolean])[] {
  return Object.entries(fields).flatMap(([name, value]) =>
    value === undefined
      ? []
      : [[name, printable(value, name === 'explanation' ? maxExplanationLength : maxValueLength)]],
  );
}

// The types promise primitives; a value that came in by a cast must not make logging throw.
function printable(value: unknown, maxLength: number): string | number | boolean {
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  const text = value instanceof Error ? value.message : String(value);
  return text.length > maxLength ? `${text.slice(0, maxLength)}...` : text;
}

function quoteText(value: string | number | boolean): string {
  const text = String(value);
  return /^[\w./:@+,-]+$/.test(text) ? text : JSON.stringify(text);
}
