import { isAppError } from '../../model/errors.ts';
import { silentLog } from '../../model/log.ts';
import type { TrustedLogKey } from '../../signing/trust-root.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import { openCheckpoint } from '../../transparency/checkpoint.ts';
import { RekorV1Client } from '../../transparency/rekor-v1-client.ts';
import { RekorV2Reader } from '../../transparency/rekor-v2-reader.ts';
import type { Dispatchers } from '../wiring/dispatchers.ts';
import type { FoundPiece } from './explain-evidence.ts';
import type { ExplainedEntry, ExplainedPiece } from './explanation-report.ts';

type RawEntry = FoundPiece['entries'][number];

/** What asking logs takes. */
export interface AskingParts {
  readonly dispatchers: Dispatchers;
  readonly keys: readonly TrustedLogKey[];
  readonly signal: AbortSignal;
}

/** Asks each log about the entries of a verified piece; what it answers is verified. Never throws but for the signal. */
export async function askLogs(
  { explained, entries }: FoundPiece,
  parts: AskingParts,
): Promise<ExplainedPiece> {
  const asked = explained.entries.map(async (entry, index): Promise<ExplainedEntry> => {
    const raw = entries[index];
    return raw === undefined ? entry : { ...entry, online: await askAbout(entry, raw, parts) };
  });
  return { ...explained, entries: await Promise.all(asked) };
}

async function askAbout(
  { log, logIndex }: ExplainedEntry,
  raw: RawEntry,
  parts: AskingParts,
): Promise<NonNullable<ExplainedEntry['online']>> {
  if (log === undefined) return { isIncluded: false, message: 'the trust root has no address of this log' };
  try {
    // Only the older kind of log promises inclusion.
    return raw.inclusionPromise === undefined
      ? await askTiles(log, raw, parts)
      : await askRekor(log, logIndex, raw, parts);
  } catch (error) {
    parts.signal.throwIfAborted();
    if (isAppError(error)) return { isIncluded: false, message: `${error.code}: ${error.message}` };
    throw error;
  }
}

async function askRekor(
  url: string,
  logIndex: number,
  raw: RawEntry,
  { dispatchers, keys, signal }: AskingParts,
): Promise<NonNullable<ExplainedEntry['online']>> {
  const dispatcher = dispatchers.for(new URL(url).host);
  const client = new RekorV1Client({ url, dispatcher, clock: systemClock, keys, log: silentLog });
  const { entry } = await client.getEntry({ logIndex }, { signal });
  const isSame = entry.canonicalizedBody.equals(raw.canonicalizedBody);
  const size = entry.inclusionProof?.treeSize ?? '';
  return isSame
    ? { isIncluded: true, message: `the log proves it to be in its tree of ${size} entries` }
    : { isIncluded: false, message: 'the log has another entry at this index' };
}

/** The evidence proves the entry to be in an older tree; the log proves that its present one begins with that. */
async function askTiles(
  url: string,
  raw: RawEntry,
  { dispatchers, keys, signal }: AskingParts,
): Promise<NonNullable<ExplainedEntry['online']>> {
  const { host, hostname } = new URL(url);
  const own = keys.filter(({ baseUrl }) => baseUrl === url).map((key) => ({ ...key, origin: hostname }));
  const [key] = own;
  const envelope = raw.inclusionProof?.checkpoint?.envelope;
  if (key === undefined || envelope === undefined)
    return { isIncluded: false, message: 'it has no checkpoint' };
  const older = openCheckpoint(envelope, key);
  const reader = new RekorV2Reader({ url, dispatcher: dispatchers.for(host), clock: systemClock, keys: own });
  const shards = await reader.shards({ signal });
  const shard = shards.find(({ treeId }) => treeId === older.origin) ?? shards.at(-1);
  if (shard === undefined) return { isIncluded: false, message: 'the log has no tree' };
  await reader.proveConsistency(shard.treeId, [older, shard.checkpoint], { signal });
  return {
    isIncluded: true,
    message: `the log proves its tree of ${shard.checkpoint.treeSize} entries to begin with the one that the evidence is proven to be in`,
  };
}
