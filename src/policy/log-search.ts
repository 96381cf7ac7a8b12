import type { TransparencyLogEntry } from '@sigstore/bundle';
import type { Dispatcher } from 'undici';
import type { Clock } from '../model/clock.ts';
import { AppError } from '../model/errors.ts';
import { searchRekorV1 } from '../transparency/rekor-v1-search.ts';
import type { LogProposal } from '../transparency/transparency-log.ts';

/** The entries that a log has for something, unverified. Throws ERR_POLICY_REFERENCE, and what the log's client throws. */
export type LogSearch = (
  log: string,
  proposal: LogProposal,
  options: { readonly signal: AbortSignal },
) => Promise<readonly TransparencyLogEntry[]>;

/** How long a log may take, in milliseconds. */
export const logSearchTimes = {
  /** A review ends after 10 s, and its answer has to say which log it was that kept silent. */
  reviewMs: 5000,
  /** A person's own command has no such end. */
  commandMs: 30_000,
} as const;

/** Searches Rekor v1 at any http or https address; redirects are not followed. */
export function openLogSearch(parts: {
  /** The connections to a host (`HOST[:PORT]`). */
  readonly dispatcherFor: (host: string) => Dispatcher | Promise<Dispatcher>;
  readonly clock: Clock;
  /** Absent: that of a review. */
  readonly deadlineMs?: number;
}): LogSearch {
  const { dispatcherFor, clock, deadlineMs = logSearchTimes.reviewMs } = parts;
  return async (log, proposal, { signal }) => {
    const url = URL.canParse(log) ? new URL(log) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol)) throw noAddress(log);
    const dispatcher = await dispatcherFor(url.host);
    const options = { url: log, dispatcher, clock, deadlineMs };
    const found = await searchRekorV1(options, proposal, { signal });
    return found.flatMap(({ logId, kindVersion, ...entry }) =>
      logId === undefined || kindVersion === undefined ? [] : [{ ...entry, logId, kindVersion }],
    );
  };
}

function noAddress(log: string): AppError {
  const shown = log.slice(0, 200);
  return new AppError('ERR_POLICY_REFERENCE', `ctlog.url "${shown}" is no http or https address`, {
    kind: 'permanent',
    object: shown,
    remedy: 'Write the address of the Rekor instance, or leave ctlog.url out.',
  });
}
