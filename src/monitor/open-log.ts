import type { TrustedLogKey } from '../signing/trust-root.ts';
import type { LogHttpOptions } from '../transparency/log-http.ts';
import type { LogReader } from '../transparency/log-reader.ts';
import { RekorV1Reader } from '../transparency/rekor-v1-reader.ts';
import { RekorV2Reader } from '../transparency/rekor-v2-reader.ts';

/** Which interface a log has: that of Rekor v1, or of Rekor v2 (tiles). */
export type LogApiVersion = 1 | 2;

/** The reader of a log that signs with one of these keys. */
export function openLogReader(
  version: LogApiVersion,
  options: LogHttpOptions & { readonly keys: readonly TrustedLogKey[] },
): LogReader {
  if (version === 1) return new RekorV1Reader(options);
  // Rekor v2 signs its checkpoints with its host name as the origin.
  const keys = options.keys.flatMap((key) =>
    URL.canParse(key.baseUrl) ? [{ ...key, origin: new URL(key.baseUrl).hostname }] : [],
  );
  return new RekorV2Reader({ ...options, keys });
}

/** Key ids of the log at that address; those of others in the trust root would have their indexes looked for here. */
export function idsOfLog(url: string, keys: readonly TrustedLogKey[]): readonly string[] {
  const { host } = new URL(url);
  const named = keys.filter(({ baseUrl }) => URL.canParse(baseUrl) && new URL(baseUrl).host === host);
  if (named.length > 0) return named.map(({ logId }) => logId);
  return keys.length === 1 ? keys.map(({ logId }) => logId) : [];
}
