import type { Checkpoint } from './checkpoint.ts';
import type { CompactRange } from './compact-range.ts';
import type { TreeHead } from './consistency-proof.ts';

/** One of the trees that a log is made of; all but the last one have stopped growing. */
export interface LogShard {
  /** What tells it from other trees: Trillian's number for Rekor v1, the checkpoint's origin for Rekor v2. */
  readonly treeId: string;
  /** Index over all shards of its first entry. */
  readonly firstIndex: number;
  /** Verified. */
  readonly checkpoint: Checkpoint;
}

/** An entry as a log lists it, unverified. */
export interface ListedEntry {
  /** Hash of its leaf, hex; for Rekor v1 as the log writes it, which may put the id of the tree before it. */
  readonly uuid: string;
  /** Index over all shards. */
  readonly logIndex: number;
  /** Canonical JSON: what the leaf of the tree is made of. */
  readonly body: Buffer;
  /** Seconds since the epoch, no part of the leaf; undefined where the log keeps no time (Rekor v2). */
  readonly integratedTime: number | undefined;
}

interface CallOptions {
  readonly signal: AbortSignal;
}

/** Reads all of a log: its trees, the proofs between their states, and the entries in their order. */
export interface LogReader {
  readonly url: string;
  /** How many entries are best read and shown to be the log's at a time. */
  readonly entriesPerStep: number;
  /** How many entries may be read again from time to time without being a burden. */
  readonly entriesPerAudit: number;
  /**
   * The log's trees, oldest first, each with a checkpoint that a trusted key signed. Errors: ERR_LOG_UNREACHABLE,
   * ERR_LOG_UNAVAILABLE, ERR_LOG_ANSWER, ERR_LOG_CHECKPOINT.
   */
  shards(options: CallOptions): Promise<readonly LogShard[]>;
  /**
   * Has the log prove that the newer state of a tree begins with the older one. Errors: ERR_LOG_CONSISTENCY,
   * ERR_LOG_ENTRY_MISSING, ERR_LOG_UNREACHABLE, ERR_LOG_UNAVAILABLE, ERR_LOG_REFUSED, ERR_LOG_ANSWER.
   */
  proveConsistency(
    treeId: string,
    states: readonly [older: TreeHead, newer: TreeHead],
    options: CallOptions,
  ): Promise<void>;
  /**
   * Entries from the index `first` on, which counts over all shards: `count` of them, or fewer where they are large, but
   * one at least. In order, and as the log gives them: the caller shows with their leaf hashes that they are in the tree.
   * Errors: ERR_LOG_ENTRY_MISSING, ERR_LOG_CONSISTENCY, ERR_LOG_UNREACHABLE, ERR_LOG_UNAVAILABLE, ERR_LOG_ANSWER.
   */
  readEntries(first: number, count: number, options: CallOptions): Promise<readonly ListedEntry[]>;
  /**
   * The range of all entries of a shard before that index of the shard, shown to be part of its checkpoint. Errors: as
   * `readEntries`, and ERR_LOG_INCLUSION_PROOF, ERR_LOG_CONSISTENCY, ERR_LOG_CHECKPOINT.
   */
  rangeUpTo(shard: LogShard, index: number, options: CallOptions): Promise<CompactRange>;
}
