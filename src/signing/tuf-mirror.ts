import { request } from 'undici';
import type { Dispatcher } from 'undici';
import { readBounded } from '../model/bounded-body.ts';
import type { Clock } from '../model/clock.ts';
import { AppError, fromHttpFault, parseRetryAfter } from '../model/errors.ts';
import type { ReadTufFile } from './tuf-client.ts';

/** What asking a mirror takes. */
export interface TufMirrorOptions {
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
  readonly deadlineMs?: number;
}

const requestMs = 20_000;

/**
 * Reads the files of a TUF mirror over HTTP. Nothing that it answers is believed before TUF has verified it, so that all of
 * its refusals may pass: ERR_TUF_UNREACHABLE, ERR_TUF_UNAVAILABLE; an answer above the bound is ERR_TUF_METADATA.
 */
export function openTufMirror({ dispatcher, clock, deadlineMs = requestMs }: TufMirrorOptions): ReadTufFile {
  return async (url, { maxBytes, signal }) => {
    try {
      const { statusCode, headers, body } = await request(url, {
        dispatcher,
        signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
      });
      if (statusCode === 200)
        return await readBounded(body, { maxBytes, code: 'ERR_TUF_METADATA', object: url });
      await body.dump({ limit: maxBytes });
      // What Amazon and Google answer where there is nothing.
      if (statusCode === 404 || statusCode === 403) return undefined;
      throw unavailable(url, statusCode, parseRetryAfter(String(headers['retry-after']), clock.now()));
    } catch (error) {
      signal.throwIfAborted();
      throw fromHttpFault(error, 'ERR_TUF_UNREACHABLE', url);
    }
  };
}

function unavailable(url: string, status: number, retryAfterMs: number | undefined): AppError {
  return new AppError('ERR_TUF_UNAVAILABLE', `${url} answered with HTTP ${status}`, {
    kind: 'passing',
    object: url,
    remedy: 'Check the address of the mirror; this is tried again.',
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
