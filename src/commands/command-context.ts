import type { Environment } from './wiring/cluster.ts';

/** What the process gives a command. */
export interface CommandContext {
  readonly environment: Environment;
  /** Aborts on SIGTERM and SIGINT. */
  readonly signal: AbortSignal;
}
