import { Writable } from 'node:stream';
import winston from 'winston';
import type { Clock } from '../model/clock.ts';
import type { Log, LogFields } from '../model/log.ts';
import type { GelfCounts } from './gelf-counts.ts';
import { createGelfTransport } from './gelf-transport.ts';
import type { GelfOptions } from './gelf-transport.ts';
import { formatJson, formatText, logLevels } from './log-line.ts';
import type { LogEvent, LogLevel } from './log-line.ts';

/** A log with the handles that a composition root needs. */
export interface RunningLog extends Log {
  /** Takes effect for this log and every child of it. */
  setLevel(level: LogLevel): void;
  /** What has become of the lines for Graylog; all zero where none are sent there. */
  gelf(): GelfCounts;
  /**
   * Resolves once everything is handed to the stream, which stays open, and Graylog has been sent what could be sent
   * within `gelfDeadlineMs` (default 2000). What is logged afterwards is dropped.
   */
  close(options?: { readonly gelfDeadlineMs?: number }): Promise<void>;
}

/** How a log is written. */
export interface LogOptions {
  readonly level: LogLevel;
  /** `auto`: text where the stream is a terminal, else JSON. */
  readonly format: 'auto' | 'json' | 'text';
  readonly stream: Writable & { readonly isTTY?: boolean };
  readonly clock: Pick<Clock, 'now'>;
  /** The environment's NO_COLOR (no-color.org): any non-empty text switches colours off. */
  readonly noColor?: string | undefined;
  /** A second way for lines, to Graylog; what goes wrong with it is told on the stream. */
  readonly gelf?: GelfOptions | undefined;
}

// When nobody reads the stream, lines beyond this many bytes are dropped and counted, rather than kept for ever.
const maxBufferedBytes = 4 * 1024 * 1024;
const defaultGelfDeadlineMs = 2000;
const noGelf: GelfCounts = { sent: 0, dropped: 0, waiting: 0 };

/** A log on a stream, usually stderr. No call on it throws, whatever the stream does. */
export function createLog(options: LogOptions): RunningLog {
  const isTerminal = options.stream.isTTY === true;
  const asText = options.format === 'text' || (options.format === 'auto' && isTerminal);
  const colour = isTerminal && (options.noColor ?? '') === '';
  const format = asText ? (event: LogEvent) => formatText(event, { colour }) : formatJson;
  const sink = boundedSink(options.stream);
  // Past winston: such a line must not wait for Graylog itself, and may come while winston is being closed.
  const reportGelf = (level: LogLevel, message: string, fields: LogFields): void => {
    if (!logger.isLevelEnabled(level)) return;
    sink.write(`${format({ time: options.clock.now(), level, message, fields })}\n`);
  };
  const gelf = options.gelf === undefined ? undefined : createGelfTransport(options.gelf, reportGelf);
  const streams = [sink, ...(gelf === undefined ? [] : [gelf.stream])];
  const logger = winston.createLogger({
    levels: Object.fromEntries(logLevels.map((level, rank) => [level, rank])),
    level: options.level,
    format: winston.format.printf((info) => format(info['event'] as LogEvent)),
    // winston's types declare its transports as instances that can be called with new.
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment
    transports: streams.map((stream) => new winston.transports.Stream({ stream, eol: '\n' })),
  });
  let isClosed = false;
  const write = (level: LogLevel, message: string, fields: LogFields): void => {
    if (isClosed || !logger.isLevelEnabled(level)) return;
    const event: LogEvent = { time: options.clock.now(), level, message, fields };
    logger.log({ level, message, event });
  };
  return {
    ...logWith(write, {}),
    setLevel: (level) => {
      logger.level = level;
    },
    gelf: () => gelf?.counts() ?? noGelf,
    close: async ({ gelfDeadlineMs = defaultGelfDeadlineMs } = {}) => {
      if (isClosed) return;
      isClosed = true;
      await endLogger(logger);
      await gelf?.close({ deadlineMs: gelfDeadlineMs });
    },
  };
}

function endLogger(logger: winston.Logger): Promise<void> {
  return new Promise((resolve) => {
    logger.once('finish', () => {
      resolve();
    });
    logger.end();
  });
}

type Write = (level: LogLevel, message: string, fields: LogFields) => void;

function logWith(write: Write, bound: LogFields): Log {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      write(level, message, { ...bound, ...fields });
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => logWith(write, { ...bound, ...fields }),
  };
}

function boundedSink(stream: Writable): Writable {
  let dropped = 0;
  let broken = false;
  // A reader that went away (EPIPE) must not end the program; there is nobody left to tell.
  stream.on('error', () => {
    broken = true;
  });
  return new Writable({
    decodeStrings: false,
    write: (line: string, _encoding, done) => {
      if (broken || stream.writableLength > maxBufferedBytes) {
        dropped += 1;
      } else {
        if (dropped > 0)
          stream.write(
            `${JSON.stringify({ level: 'warn', message: 'log lines dropped', count: dropped })}\n`,
          );
        dropped = 0;
        stream.write(line);
      }
      done();
    },
  });
}
