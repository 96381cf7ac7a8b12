import { request } from 'undici';
import type { Dispatcher } from 'undici';
import { readBounded } from '../model/bounded-body.ts';
import type { Clock } from '../model/clock.ts';
import { AppError, fromHttpFault, parseRetryAfter } from '../model/errors.ts';
import { deadlines, limits } from '../model/limits.ts';

/** What every client of a log or timestamp authority needs. */
export interface LogHttpOptions {
  /** Base URL; its path is kept. */
  readonly url: string;
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
  readonly deadlineMs?: number;
}

/** One call. */
export interface LogCall {
  readonly method: 'GET' | 'POST';
  /** Path and query below the base URL, without leading slash. */
  readonly path: string;
  readonly body?: string | Uint8Array;
  readonly contentType?: string;
  readonly accept?: string;
  /** Bound of the answer; absent: that of entries with their envelopes. */
  readonly maxBytes?: number;
  readonly signal: AbortSignal;
}

/** An answer of any status, its body read within limits. */
export interface LogAnswer {
  readonly status: number;
  readonly body: Buffer;
  readonly location: string | undefined;
  readonly retryAfter: string | undefined;
  /** The address that was asked. */
  readonly address: string;
}

/** Calls a log. Errors: ERR_LOG_UNREACHABLE (passing), ERR_LOG_ANSWER (too large), the caller's abort. */
export async function callLog(options: LogHttpOptions, call: LogCall): Promise<LogAnswer> {
  const base = options.url.endsWith('/') ? options.url : `${options.url}/`;
  const address = new URL(call.path, base).href;
  const deadline = AbortSignal.timeout(options.deadlineMs ?? deadlines.logMs);
  try {
    const response = await request(address, {
      method: call.method,
      headers: {
        accept: call.accept ?? 'application/json',
        ...(call.body === undefined ? {} : { 'content-type': call.contentType ?? 'application/json' }),
      },
      body: call.body ?? null,
      dispatcher: options.dispatcher,
      signal: AbortSignal.any([call.signal, deadline]),
    });
    return {
      status: response.statusCode,
      body: await readBounded(response.body, {
        maxBytes: call.maxBytes ?? limits.logAnswerBytes,
        code: 'ERR_LOG_ANSWER',
        object: address,
      }),
      location: single(response.headers['location']),
      retryAfter: single(response.headers['retry-after']),
      address,
    };
  } catch (error) {
    call.signal.throwIfAborted();
    throw fromHttpFault(error, 'ERR_LOG_UNREACHABLE', address);
  }
}

// What the log says of the proposal itself; any other refusal ends when somebody mends the log or its address.
const faultsOfProposal = new Set([400, 413, 422]);

/** The error that an answer stands for that is no success. */
export function refusal(answer: LogAnswer, clock: Clock): AppError {
  const kind = faultsOfProposal.has(answer.status) ? 'permanent' : 'passing';
  const retryAfterMs = parseRetryAfter(answer.retryAfter, clock.now());
  const code = kind === 'passing' ? 'ERR_LOG_UNAVAILABLE' : 'ERR_LOG_REFUSED';
  return new AppError(
    code,
    `${answer.address} answered with HTTP ${answer.status}: ${reasonOf(answer.body)}`,
    {
      kind,
      object: answer.address,
      remedy:
        kind === 'passing'
          ? 'Nothing at first: this is tried again; if it lasts, check the address of the log and its server.'
          : 'Check the version of the log and its limit for the size of entries.',
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
  );
}

/** An answer that cannot be what the log's interface promises. */
export function badAnswer(address: string, why: string, cause?: unknown): AppError {
  return new AppError('ERR_LOG_ANSWER', `${address} gave an answer that cannot be used: ${why}`, {
    kind: 'passing',
    object: address,
    remedy: 'Check that the address is that of the log that is meant.',
    ...(cause === undefined ? {} : { cause }),
  });
}

function reasonOf(body: Buffer): string {
  const text = body.subarray(0, 4096).toString('utf8');
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed)
      return String(parsed.message).slice(0, 300);
  } catch {
    // Not JSON: a proxy's page; its beginning is still the best reason there is.
  }
  return text.slice(0, 300);
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
