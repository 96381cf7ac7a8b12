import { emptyRange } from '../transparency/compact-range.ts';
import type { LogReader } from '../transparency/log-reader.ts';
import { readStep } from './log-follower.ts';
import type { EndedTree, LogPosition } from './monitor-state.ts';

/**
 * Reads all trees from beginning to end again and again, a little at a time: what was read before may have been changed
 * since, by whoever can write where the log keeps it.
 */
export class LogAudit {
  readonly #reader: LogReader;
  readonly #most: number;
  #from: LogPosition | undefined;

  /** `most`: entries at a time; 0: none at all. */
  constructor(reader: LogReader, most: number) {
    this.#reader = reader;
    this.#most = most;
  }

  /** Takes the next step within what was read up to there. Throws ERR_LOG_CONSISTENCY, and what the reader throws. */
  async step(position: LogPosition, options: { readonly signal: AbortSignal }): Promise<void> {
    const tree = this.#treeOfStep([...position.ended, position].filter(({ head }) => head.treeSize > 0n));
    if (this.#most === 0 || tree === undefined) return;
    const { treeId, firstIndex, head } = tree;
    const isOn = this.#from?.treeId === treeId && this.#from.range.size < head.treeSize;
    const range = (isOn ? this.#from?.range : undefined) ?? emptyRange;
    const from = { treeId, firstIndex, ended: [], range, head };
    ({ position: this.#from } = await readStep(this.#reader, from, { ...options, most: this.#most }));
  }

  /** The tree of the last step until that is read to its end, then the one after it. */
  #treeOfStep(trees: readonly EndedTree[]): EndedTree | undefined {
    const at = trees.findIndex(({ treeId }) => treeId === this.#from?.treeId);
    const tree = trees[at];
    const isAtEnd = tree !== undefined && (this.#from?.range.size ?? 0n) >= tree.head.treeSize;
    return tree === undefined || isAtEnd ? (trees[at + 1] ?? trees[0]) : tree;
  }
}
