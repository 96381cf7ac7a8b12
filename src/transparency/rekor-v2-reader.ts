import { AppError } from '../model/errors.ts';
import { openCheckpoint } from './checkpoint.ts';
import { emptyRange, extendRange, rootOfRange } from './compact-range.ts';
import type { CompactRange } from './compact-range.ts';
import { verifyConsistency } from './consistency-proof.ts';
import type { TreeHead } from './consistency-proof.ts';
import { badAnswer, callLog, refusal } from './log-http.ts';
import type { LogAnswer, LogHttpOptions } from './log-http.ts';
import type { LogKey } from './log-key.ts';
import type { ListedEntry, LogReader, LogShard } from './log-reader.ts';
import { hashLeaf } from './merkle-proof.ts';
import { readAhead } from './read-ahead.ts';
import type { CallBounds, ReadPart } from './read-ahead.ts';
import { parseBundle, parseTile, tilePath } from './tile-format.ts';
import { TileTree, tileWidth, widthOfTile } from './tile-tree.ts';
import type { TileRef } from './tile-tree.ts';

/** The key of a log, with the name that it has in the log's checkpoints. */
export interface NamedLogKey extends LogKey {
  readonly origin: string;
}

/** What a {@link RekorV2Reader} needs. */
export interface RekorV2ReaderOptions extends LogHttpOptions {
  /** Keys that the log may sign with, from the trust root. */
  readonly keys: readonly NamedLogKey[];
}

interface CallOptions {
  readonly signal: AbortSignal;
}

// Exact in floating point with room to spare, and a thousand times the largest log there is.
const maxTreeSize = 2n ** 40n;
const maxCheckpointBytes = 64 * 1024;
const maxTileBytes = tileWidth * 32;
// 256 entries, each with its length in two bytes.
const maxBundleBytes = tileWidth * (2 + 0xffff);
// Twice what a bundle of signatures with certificates takes.
const usualBundleBytes = 1.5 * 1024 * 1024;
const callsAtOnce = 16;
const cachedTiles = 512;
const bundlesPerStep = 32;

/**
 * Reads all of a Rekor v2, a log of the tiles kind (C2SP tlog-tiles). The log gives hashes and entries as they are stored; the
 * proofs are worked out here and lead to what it signed. Such a log is one tree: a new shard is another log, with
 * another name.
 */
export class RekorV2Reader implements LogReader {
  readonly url: string;
  readonly entriesPerStep: number = bundlesPerStep * tileWidth;
  readonly entriesPerAudit: number = bundlesPerStep * tileWidth;
  readonly #options: RekorV2ReaderOptions;
  readonly #tiles = new Map<string, readonly Buffer[]>();
  #size = 0;
  /** Set while bundles are larger than usual ones. */
  #isCareful = false;

  constructor(options: RekorV2ReaderOptions) {
    this.#options = options;
    this.url = options.url;
  }

  async shards({ signal }: CallOptions): Promise<readonly LogShard[]> {
    // A tile is read anew in each look at the log: one that was changed must not be hidden by what is known.
    this.#tiles.clear();
    const answer = await this.#call('checkpoint', maxCheckpointBytes, signal);
    const checkpoint = this.#open(answer.body.toString('utf8'));
    if (checkpoint.treeSize > maxTreeSize) {
      throw badAnswer(answer.address, 'no log is that large');
    }
    this.#size = Math.max(this.#size, Number(checkpoint.treeSize));
    return [{ treeId: checkpoint.origin, firstIndex: 0, checkpoint }];
  }

  async proveConsistency(
    _: string,
    [older, newer]: readonly [TreeHead, TreeHead],
    { signal }: CallOptions,
  ): Promise<void> {
    const isProvable = older.treeSize > 0n && older.treeSize < newer.treeSize;
    const tree = this.#tree(Number(newer.treeSize), signal);
    const proof = isProvable ? await tree.consistencyProof(Number(older.treeSize)) : [];
    verifyConsistency(older, newer, proof);
  }

  async readEntries(first: number, count: number, { signal }: CallOptions): Promise<readonly ListedEntry[]> {
    const end = first + count;
    const bundles = await this.#readBundles(first, end, signal);
    return bundles.flat().filter(({ logIndex }) => logIndex >= first && logIndex < end);
  }

  async rangeUpTo({ checkpoint }: LogShard, index: number, options: CallOptions): Promise<CompactRange> {
    const range = await this.#tree(Number(checkpoint.treeSize), options.signal).range(index);
    const older = { treeSize: range.size, rootHash: rootOfRange(range) };
    await this.proveConsistency(checkpoint.origin, [older, checkpoint], options);
    return range;
  }

  #tree(size: number, signal: AbortSignal): TileTree {
    return new TileTree(size, (tile) => this.#readTile(tile, signal));
  }

  async #readTile(tile: TileRef, signal: AbortSignal): Promise<readonly Buffer[]> {
    const path = tilePath(tile);
    const known = this.#tiles.get(path);
    if (known !== undefined) return known;
    const { body, address } = await this.#callForTile(tile, maxTileBytes, signal);
    const hashes = parseTile(body, tile.width);
    if (hashes === undefined) throw badAnswer(address, 'it is no tile of that width');
    if (this.#tiles.size >= cachedTiles) this.#tiles.clear();
    this.#tiles.set(path, hashes);
    return hashes;
  }

  /** Bundles from that of the index `first` on, at least this one. */
  async #readBundles(
    first: number,
    end: number,
    signal: AbortSignal,
  ): Promise<readonly (readonly ListedEntry[])[]> {
    const [from, to] = [Math.floor(first / tileWidth), Math.ceil(end / tileWidth)];
    if (!this.#isCareful) {
      const { values, isTooLarge } = await readAhead(
        to - from,
        (at, bounds) => this.#readBundle(from + at, end, bounds),
        { atOnce: callsAtOnce, maxBytes: usualBundleBytes, signal },
      );
      this.#isCareful = isTooLarge;
      if (values.length > 0) return values;
    }
    const { value, bytes } = await this.#readBundle(from, end, { maxBytes: maxBundleBytes, signal });
    this.#isCareful = bytes > usualBundleBytes;
    return [value];
  }

  /** A bundle's entries below the index `end`. The log keeps the width that it had at its checkpoint, if not all of it. */
  async #readBundle(
    index: number,
    end: number,
    { maxBytes, signal }: CallBounds,
  ): Promise<ReadPart<readonly ListedEntry[]>> {
    const width = widthOfTile(0, index, Math.max(this.#size, end));
    const tile = { level: 'entries', index, width } as const;
    const { body, address } = await this.#callForTile(tile, maxBytes, signal);
    const entries = parseBundle(body, width);
    if (entries === undefined) throw badAnswer(address, 'it is no bundle of that many entries');
    const hashes = entries.map(hashLeaf);
    await this.#requireHashes({ level: 0, index, width }, hashes, signal);
    const value = entries.map((entry, at) => ({
      uuid: hashes[at]?.toString('hex') ?? '',
      logIndex: index * tileWidth + at,
      body: entry,
      integratedTime: undefined,
    }));
    return { value, bytes: body.length };
  }

  /** Requires that the log stores these hashes, and above a full tile its root. Throws ERR_LOG_CONSISTENCY. */
  async #requireHashes(tile: TileRef, hashes: readonly Buffer[], signal: AbortSignal): Promise<void> {
    const stored = await this.#readTile(tile, signal);
    const isSame = hashes.every((hash, at) => stored[at]?.equals(hash) === true);
    if (!isSame) throw contradiction(`${this.url}/${pathOf(tilePath(tile))}`);
    if (tile.width < tileWidth) return;
    const [level, index] = [tile.level + 1, Math.floor(tile.index / tileWidth)];
    const above = { level, index, width: widthOfTile(level, index, this.#size) };
    const parent = (await this.#readTile(above, signal))[tile.index % tileWidth];
    const root = rootOfRange(extendRange(emptyRange, hashes));
    if (parent?.equals(root) !== true) throw contradiction(`${this.url}/${pathOf(tilePath(above))}`);
  }

  /** A log may drop a partial tile once it has the full one. */
  async #callForTile(
    tile: Omit<TileRef, 'level'> & { readonly level: number | 'entries' },
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<LogAnswer> {
    const paths = [...new Set([tilePath(tile), tilePath({ ...tile, width: tileWidth })])];
    for (const path of paths) {
      const answer = await callLog(this.#options, {
        method: 'GET',
        path: pathOf(path),
        maxBytes,
        signal,
        ...binary,
      });
      if (answer.status === 200) return answer;
      if (answer.status !== 404) throw refusal(answer, this.#options.clock);
    }
    const [path] = paths;
    throw new AppError('ERR_LOG_ENTRY_MISSING', `${this.url} does not give its ${path}`, {
      kind: 'passing',
      object: `${this.url}/${pathOf(path ?? '')}`,
      remedy: 'Ask the operator of the log: it signed for a tree that holds this tile.',
    });
  }

  async #call(path: string, maxBytes: number, signal: AbortSignal): Promise<LogAnswer> {
    const answer = await callLog(this.#options, {
      method: 'GET',
      path: pathOf(path),
      maxBytes,
      signal,
      ...binary,
    });
    if (answer.status !== 200) throw refusal(answer, this.#options.clock);
    return answer;
  }

  #open(envelope: string): ReturnType<typeof openCheckpoint> {
    let fault: unknown = badAnswer(this.url, 'no key of the log is known');
    for (const key of this.#options.keys) {
      try {
        const checkpoint = openCheckpoint(envelope, key);
        if (checkpoint.origin === key.origin) return checkpoint;
        fault = badAnswer(this.url, `its checkpoint is that of ${checkpoint.origin}, not of ${key.origin}`);
      } catch (error) {
        fault = error;
      }
    }
    throw fault;
  }
}

const binary = { accept: 'application/octet-stream, text/plain, */*' } as const;

function contradiction(object: string): AppError {
  return new AppError('ERR_LOG_CONSISTENCY', `${object} does not hold the hashes of what lies below it`, {
    kind: 'permanent',
    object,
    remedy: 'Do not trust the log until its operator has explained this.',
  });
}

function pathOf(path: string): string {
  return `api/v2/${path}`;
}
