import { emptyRange } from '../transparency/compact-range.ts';
import type { LogReader } from '../transparency/log-reader.ts';
import { readStep } from './log-follower.ts';
import type { LogPosition } from './monitor-state.ts';

/**
 * Reads a tree from its beginning to its end again and again, a little at a time: what was read before may have been changed
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
    const { treeId, firstIndex, head } = position;
    if (this.#most === 0 || head.treeSize === 0n) return;
    const isOn = this.#from?.treeId === treeId && this.#from.range.size < head.treeSize;
    const range = (isOn ? this.#from?.range : undefined) ?? emptyRange;
    const from = { treeId, firstIndex, range, head };
    ({ position: this.#from } = await readStep(this.#reader, from, { ...options, most: this.#most }));
  }
}
