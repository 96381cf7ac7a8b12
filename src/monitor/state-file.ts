import { open, readFile, rename } from 'node:fs/promises';
import { AppError, messageOf } from '../model/errors.ts';
import { decodeState, encodeState } from './monitor-state.ts';
import type { MonitorState } from './monitor-state.ts';

/** Where a monitor keeps its state. */
export interface StateStore {
  /** Throws ERR_MONITOR_STATE. */
  load(): Promise<MonitorState | undefined>;
  /** Throws ERR_MONITOR_STATE_FILE. */
  save(state: MonitorState): Promise<void>;
}

/** The state in a file, which is replaced whole or not at all. One monitor at a time may use it. */
export class StateFile implements StateStore {
  readonly #file: string;
  readonly #log: string;
  #saved = '';

  constructor(file: string, log: string) {
    this.#file = file;
    this.#log = log;
  }

  /** The state; undefined where there is no file yet. Throws ERR_MONITOR_STATE, ERR_MONITOR_STATE_FILE. */
  async load(): Promise<MonitorState | undefined> {
    try {
      this.#saved = await readFile(this.#file, 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw this.#fault(error);
    }
    return decodeState(this.#log, this.#saved, this.#file);
  }

  /** Writes the state, if it changed. Throws ERR_MONITOR_STATE_FILE. */
  async save(state: MonitorState): Promise<void> {
    const text = encodeState(this.#log, state);
    if (text === this.#saved) return;
    const draft = `${this.#file}.new`;
    try {
      await write(draft, text);
      await rename(draft, this.#file);
    } catch (error) {
      throw this.#fault(error);
    }
    this.#saved = text;
  }

  #fault(error: unknown): AppError {
    return new AppError('ERR_MONITOR_STATE_FILE', `${this.#file}: ${messageOf(error)}`, {
      kind: 'permanent',
      object: this.#file,
      remedy: 'Check the folder, its permissions and the space on its disk.',
      cause: error,
    });
  }
}

async function write(file: string, text: string): Promise<void> {
  await using handle = await open(file, 'w', 0o600);
  await handle.writeFile(text);
  // Without this a power cut may leave the new name with the old machine's empty blocks.
  await handle.sync();
}
