import { z } from 'zod';
import { AppError } from '../model/errors.ts';
import { openCheckpoint } from './checkpoint.ts';
import type { Checkpoint } from './checkpoint.ts';
import { emptyRange, extendRange, rangeBefore } from './compact-range.ts';
import type { CompactRange } from './compact-range.ts';
import { verifyConsistency } from './consistency-proof.ts';
import type { TreeHead } from './consistency-proof.ts';
import { verifyInclusion } from './entry-verification.ts';
import { badAnswer, callLog, refusal } from './log-http.ts';
import type { LogAnswer, LogCall, LogHttpOptions } from './log-http.ts';
import type { LogKey } from './log-key.ts';
import type { ListedEntry, LogReader, LogShard } from './log-reader.ts';
import { hashLeaf } from './merkle-proof.ts';
import { readAhead } from './read-ahead.ts';
import type { CallBounds, ReadPart } from './read-ahead.ts';
import { parseEntryAnswer, parseEntryList } from './rekor-v1-entry.ts';

/** What a {@link RekorV1Reader} needs. */
export interface RekorV1ReaderOptions extends LogHttpOptions {
  /** Keys that the log's shards may sign with, from the trust root. */
  readonly keys: readonly LogKey[];
}

interface CallOptions {
  readonly signal: AbortSignal;
}

const maxShards = 100;
const maxProofHashes = 128;
// What Rekor v1 takes in one request (rekor, openapi.yaml, `SearchLogQuery`), and what a log of our own bears at once.
const entriesPerCall = 10;
const callsAtOnce = 8;
// Ten entries as pipelines make them take a tenth of that.
const usualBytes = 2 * 1024 * 1024;
// An answer is held four times while it is parsed, which must fit into the monitor's memory.
const maxEntryBytes = 64 * 1024 * 1024;
const singlyBytes = 8 * 1024 * 1024;

const tree = {
  treeID: z.string().regex(/^\d{1,20}$/),
  treeSize: z.int().nonnegative(),
  signedTreeHead: z.string(),
};
const logShape = z.object({
  ...tree,
  inactiveShards: z.array(z.object(tree)).max(maxShards).nullish(),
});
const proofShape = z.object({ hashes: z.array(z.string().regex(/^[0-9a-f]{64}$/)).max(maxProofHashes) });

/** Reads all of a Rekor v1: its trees, the proofs between their states, and the entries in their order. */
export class RekorV1Reader implements LogReader {
  readonly url: string;
  readonly entriesPerStep = 1000;
  readonly entriesPerAudit = 100;
  readonly #options: RekorV1ReaderOptions;
  /** Set while entries are larger than usual ones. */
  #isCareful = false;

  constructor(options: RekorV1ReaderOptions) {
    this.#options = options;
    this.url = options.url;
  }

  async shards({ signal }: CallOptions): Promise<readonly LogShard[]> {
    const answer = await this.#call({ method: 'GET', path: 'api/v1/log', signal });
    const log = parse(logShape, answer);
    let firstIndex = 0;
    return [...(log.inactiveShards ?? []), log].map(({ treeID, treeSize, signedTreeHead }) => {
      const checkpoint = this.#open(signedTreeHead);
      if (Number(checkpoint.treeSize) !== treeSize || !checkpoint.origin.endsWith(` - ${treeID}`)) {
        throw badAnswer(answer.address, `the checkpoint of tree ${treeID} is that of another`);
      }
      const shard = { treeId: treeID, firstIndex, checkpoint };
      firstIndex += treeSize;
      return shard;
    });
  }

  async proveConsistency(
    treeId: string,
    [older, newer]: readonly [TreeHead, TreeHead],
    { signal }: CallOptions,
  ): Promise<void> {
    // Rekor proves nothing from the empty tree, nor from a tree to itself, and there is nothing to prove.
    if (older.treeSize === 0n || older.treeSize >= newer.treeSize) {
      verifyConsistency(older, newer, []);
      return;
    }
    const query = `firstSize=${older.treeSize}&lastSize=${newer.treeSize}&treeID=${treeId}`;
    const answer = await this.#call({ method: 'GET', path: `api/v1/log/proof?${query}`, signal });
    const { hashes } = parse(proofShape, answer);
    verifyConsistency(
      older,
      newer,
      hashes.map((node) => Buffer.from(node, 'hex')),
    );
  }

  async readEntries(first: number, count: number, { signal }: CallOptions): Promise<readonly ListedEntry[]> {
    if (!this.#isCareful) {
      const { values, isTooLarge } = await readAhead(
        Math.ceil(count / entriesPerCall),
        (call, bounds) => {
          const start = call * entriesPerCall;
          return this.#readSome(first + start, Math.min(entriesPerCall, count - start), bounds);
        },
        { atOnce: callsAtOnce, maxBytes: usualBytes, signal },
      );
      this.#isCareful = isTooLarge;
      if (values.length > 0) return values.flat();
    }
    return this.#readSingly(first, Math.min(count, entriesPerCall), signal);
  }

  /** By the inclusion proof of the entry before that index. */
  async rangeUpTo(shard: LogShard, index: number, { signal }: CallOptions): Promise<CompactRange> {
    if (index === 0) return emptyRange;
    const path = `api/v1/log/entries?logIndex=${shard.firstIndex + index - 1}`;
    const answer = await this.#call({ method: 'GET', path, maxBytes: maxEntryBytes, signal });
    const { entry } = parseEntryAnswer(answer.body, answer.address);
    const key = this.#options.keys.find(({ logId }) => logId === entry.logId?.keyId.toString('hex'));
    const proof = entry.inclusionProof;
    if (key === undefined || proof?.checkpoint === undefined || Number(proof.logIndex) !== index - 1) {
      throw badAnswer(answer.address, 'it is no entry of that place and that log');
    }
    verifyInclusion(entry, key);
    const { treeSize } = openCheckpoint(proof.checkpoint.envelope, key);
    const before = rangeBefore({ logIndex: BigInt(index - 1), treeSize, hashes: proof.hashes });
    return extendRange(before, [hashLeaf(entry.canonicalizedBody)]);
  }

  /** One by one, since one may be as large as the log takes; until there is enough. */
  async #readSingly(first: number, count: number, signal: AbortSignal): Promise<readonly ListedEntry[]> {
    const read: ListedEntry[] = [];
    let held = 0;
    while (read.length < count && held < singlyBytes) {
      const bounds = { maxBytes: maxEntryBytes, signal };
      const { value, bytes } = await this.#readSome(first + read.length, 1, bounds);
      read.push(...value);
      held += bytes;
    }
    this.#isCareful = held > usualBytes;
    return read;
  }

  async #readSome(
    first: number,
    count: number,
    bounds: CallBounds,
  ): Promise<ReadPart<readonly ListedEntry[]>> {
    const logIndexes = Array.from({ length: count }, (_, at) => first + at);
    const body = JSON.stringify({ logIndexes });
    const path = 'api/v1/log/entries/retrieve';
    const answer = await this.#call({ method: 'POST', path, body, ...bounds });
    const found = new Map(
      parseEntryList(answer.body, answer.address).map((entry) => [entry.logIndex, entry]),
    );
    const value = logIndexes.map((index) => {
      const entry = found.get(index);
      if (entry !== undefined) return entry;
      throw new AppError('ERR_LOG_ENTRY_MISSING', `${this.url} does not give its entry ${index}`, {
        kind: 'passing',
        object: `${this.url}#${index}`,
        remedy: 'Ask the operator of the log: it signed for a tree that holds this entry.',
      });
    });
    return { value, bytes: answer.body.length };
  }

  async #call(call: LogCall): Promise<LogAnswer> {
    const answer = await callLog(this.#options, call);
    if (answer.status !== 200) throw refusal(answer, this.#options.clock);
    return answer;
  }

  #open(envelope: string): Checkpoint {
    let fault: unknown = badAnswer(this.url, 'no key of the log is known');
    for (const key of this.#options.keys) {
      try {
        return openCheckpoint(envelope, key);
      } catch (error) {
        fault = error;
      }
    }
    throw fault;
  }
}

function parse<Value>(shape: z.ZodType<Value>, { body, address }: LogAnswer): Value {
  try {
    return shape.parse(JSON.parse(body.toString('utf8')));
  } catch (error) {
    throw badAnswer(address, 'it is not what Rekor v1 answers with', error);
  }
}
