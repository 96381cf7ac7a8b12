import { AppError, isAppError } from '../model/errors.ts';
import { emptyRange, extendRange, rootOfRange } from '../transparency/compact-range.ts';
import type { TreeHead } from '../transparency/consistency-proof.ts';
import { hashLeaf } from '../transparency/merkle-proof.ts';
import type { ListedEntry, LogReader, LogShard } from '../transparency/log-reader.ts';
import { badAnswer } from '../transparency/log-http.ts';
import type { EndedTree, LogPosition } from './monitor-state.ts';

/** Entries that are shown to be in the log, and where the follower stands after them. */
export interface FollowedEntries {
  readonly entries: readonly ListedEntry[];
  readonly position: LogPosition;
  /** Entries that the log has beyond these. */
  readonly behind: number;
}

interface CallOptions {
  readonly signal: AbortSignal;
}

/** Where to begin in a log that was not followed before: at an index, or at its end. Throws as the reader does. */
export async function beginAt(
  reader: LogReader,
  startIndex: number | undefined,
  options: CallOptions,
): Promise<LogPosition> {
  const shards = await reader.shards(options);
  const shard = shards.findLast(({ firstIndex }) => startIndex === undefined || firstIndex <= startIndex);
  if (shard === undefined) throw forked(reader.url, 'it has no tree');
  const { treeId, firstIndex, checkpoint } = shard;
  const size = Number(checkpoint.treeSize);
  const place = Math.min(startIndex === undefined ? size : startIndex - firstIndex, size);
  const range = await reader.rangeUpTo(shard, place, options);
  const ended = shards.slice(0, shards.indexOf(shard)).map(toEnded);
  return { treeId, firstIndex, ended, range, head: headOf(shard) };
}

/**
 * Follows a log from a position on: first the log proves that it was only appended to, and shows trees that had ended as
 * they were; then its entries are given in order, each step once they are shown to be what the log signed. Throws
 * ERR_LOG_CONSISTENCY, ERR_MONITOR_SHRANK, ERR_LOG_ENTRY_MISSING, and what the reader throws.
 */
export async function* follow(
  reader: LogReader,
  from: LogPosition,
  options: CallOptions,
): AsyncGenerator<FollowedEntries, void, undefined> {
  const shards = await reader.shards(options);
  const at = shards.findIndex(({ treeId }) => treeId === from.treeId);
  const first = shards[at];
  if (first === undefined) await refuseLagging(reader, shards, from, options);
  if (first?.firstIndex !== from.firstIndex) {
    throw forked(reader.url, `its tree ${from.treeId} is gone, or has another place`);
  }
  const earlier = shards.slice(0, at);
  // A position that was stored without them.
  const ended = from.ended.length === 0 ? earlier.map(toEnded) : from.ended;
  requireSame(reader.url, earlier, ended);
  if (await isOutdated(reader, first, from.head, options)) return;
  let position: LogPosition = { ...from, ended, head: headOf(first) };
  yield { entries: [], position, behind: behindOf(position, shards) };
  for (const shard of shards.slice(at)) {
    if (shard !== first) {
      const { treeId, firstIndex } = shard;
      const { range: _, ended: before, ...tree } = position;
      position = { treeId, firstIndex, ended: [...before, tree], range: emptyRange, head: headOf(shard) };
    }
    while (position.range.size < shard.checkpoint.treeSize) {
      const step = await readStep(reader, position, { ...options, most: reader.entriesPerStep });
      ({ position } = step);
      yield { ...step, behind: behindOf(position, shards) };
    }
  }
}

/** Requires that trees that had ended are those that are known. Throws ERR_LOG_CONSISTENCY. */
function requireSame(log: string, shown: readonly LogShard[], known: readonly EndedTree[]): void {
  const other = known.find(({ treeId, firstIndex, head }, at) => {
    const shard = shown[at];
    return shard?.treeId !== treeId || shard.firstIndex !== firstIndex || !isSameHead(headOf(shard), head);
  });
  if (other !== undefined) throw forked(log, `its tree ${other.treeId} had ended, and is another now`);
  if (shown.length > known.length) throw forked(log, 'it has a tree more before those that are known');
}

/**
 * Throws ERR_LOG_ANSWER where a log shows all that is known but the last tree: another server answered, which lags behind.
 * Throws what {@link requireSame} and {@link isOutdated} throw, and nothing where more than that is missing.
 */
async function refuseLagging(
  reader: LogReader,
  shards: readonly LogShard[],
  { treeId, ended }: LogPosition,
  options: CallOptions,
): Promise<void> {
  const [growing, last] = [shards.at(-1), ended.at(-1)];
  if (growing === undefined || last?.treeId !== growing.treeId || last.firstIndex !== growing.firstIndex)
    return;
  requireSame(reader.url, shards.slice(0, -1), ended.slice(0, -1));
  if (growing.checkpoint.treeSize > last.head.treeSize) return;
  await isOutdated(reader, growing, last.head, options);
  throw badAnswer(reader.url, `it lags behind: it does not have the tree ${treeId} that it had`);
}

/**
 * True if the log shows an earlier state than the known one, of which the known one is still shown to be the
 * continuation: another server answered, which lags behind.
 */
async function isOutdated(
  reader: LogReader,
  shard: LogShard,
  known: TreeHead,
  options: CallOptions,
): Promise<boolean> {
  const shown = headOf(shard);
  if (shown.treeSize >= known.treeSize) {
    await reader.proveConsistency(shard.treeId, [known, shown], options);
    return false;
  }
  try {
    await reader.proveConsistency(shard.treeId, [shown, known], options);
    return true;
  } catch (error) {
    if (!isAppError(error) || error.code === 'ERR_LOG_UNREACHABLE') throw error;
    throw new AppError(
      'ERR_MONITOR_SHRANK',
      `${reader.url} signed ${known.treeSize} entries in tree ${shard.treeId}, and now ${shown.treeSize}`,
      { kind: 'permanent', object: reader.url, remedy: mistrust, cause: error },
    );
  }
}

/**
 * Reads the next entries of a tree, at most `most` of them, and shows them to be what the log signed. Throws
 * ERR_LOG_CONSISTENCY, and what the reader throws.
 */
export async function readStep(
  reader: LogReader,
  position: LogPosition,
  { most, ...options }: CallOptions & { readonly most: number },
): Promise<Omit<FollowedEntries, 'behind'>> {
  const { treeId, firstIndex, range, head } = position;
  const start = firstIndex + Number(range.size);
  const count = Math.min(most, Number(head.treeSize - range.size));
  const entries = await reader.readEntries(start, count, options);
  const next = extendRange(
    range,
    entries.map(({ body }) => hashLeaf(body)),
  );
  try {
    // The root of all entries up to here must be part of what the log signed: then each of them is, in its place.
    await reader.proveConsistency(treeId, [toHead(next), head], options);
  } catch (error) {
    if (!isAppError(error) || error.code !== 'ERR_LOG_CONSISTENCY') throw error;
    throw forked(
      reader.url,
      `what it gives as its entries ${start} to ${start + entries.length - 1} is not what it signed`,
      error,
    );
  }
  return { entries, position: { ...position, range: next } };
}

function toHead(range: LogPosition['range']): TreeHead {
  return { treeSize: range.size, rootHash: rootOfRange(range) };
}

function isSameHead(one: TreeHead, other: TreeHead): boolean {
  return one.treeSize === other.treeSize && Buffer.compare(one.rootHash, other.rootHash) === 0;
}

function toEnded(shard: LogShard): EndedTree {
  return { treeId: shard.treeId, firstIndex: shard.firstIndex, head: headOf(shard) };
}

function headOf({ checkpoint: { treeSize, rootHash } }: LogShard): TreeHead {
  return { treeSize, rootHash };
}

function behindOf({ firstIndex, range }: LogPosition, shards: readonly LogShard[]): number {
  const last = shards.at(-1);
  const end = last === undefined ? 0 : last.firstIndex + Number(last.checkpoint.treeSize);
  return Math.max(0, end - firstIndex - Number(range.size));
}

const mistrust = 'Do not trust the log until its operator has explained this.';

function forked(log: string, why: string, cause?: unknown): AppError {
  return new AppError('ERR_LOG_CONSISTENCY', `${log} is not the log that it was: ${why}`, {
    kind: 'permanent',
    object: log,
    remedy: mistrust,
    cause,
  });
}
