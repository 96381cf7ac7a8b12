import type { Command } from '../process/launch.ts';

/** One server of the stack: what it needs, how it is started, how we know that it works. */
export interface Server {
  readonly name: string;
  readonly version: string;
  /** Where it answers, for the status table. */
  readonly address: string;
  /** Servers that must be healthy before this one starts. */
  readonly needs: readonly string[];
  /** The signal that makes it stop soon; SIGTERM if absent. */
  readonly stopSignal?: NodeJS.Signals;
  /** Makes what must be there before it starts. Harmless when done twice, as is `settle`. */
  prepare?(): Promise<void>;
  command(): Promise<Command>;
  isHealthy(): Promise<boolean>;
  /** What remains to be done once it answers. */
  settle?(): Promise<void>;
}

/** Version column of servers that Debian brings. */
export const fromDebian = "Debian's";
