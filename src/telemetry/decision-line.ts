import type { Log } from '../model/log.ts';

/** One image judged at the door, as it goes to the log and, by these names, to Graylog. */
export interface DecisionLine {
  readonly decision: 'admitted' | 'warned' | 'denied';
  /** The object under review. */
  readonly namespace: string;
  readonly kind: string;
  /** Absent where the API server has yet to make it up from `generateName`. */
  readonly name?: string | undefined;
  readonly operation?: string | undefined;
  /** As the object names it, and where. */
  readonly image: string;
  readonly path?: string | undefined;
  readonly digest?: string | undefined;
  /** What decided: the first policy, check and code that failed. */
  readonly policy?: string | undefined;
  readonly check?: string | undefined;
  readonly code?: string | undefined;
  readonly user: string;
  /** The review's. */
  readonly uid: string;
  readonly dryRun: boolean;
  readonly durationMs?: number | undefined;
  /** One paragraph: Graylog's short_message. */
  readonly summary: string;
  /** Every check, every piece of evidence: Graylog's full_message. */
  readonly explanation?: string | undefined;
}

/** The message of every decision, by which they are told from other lines. */
export const decisionMessage = 'decision';

/** Logs a decision: at `info` what is admitted, at `warn` what is not, so that no usual level hides a denial. */
export function logDecision(log: Log, line: DecisionLine): void {
  log[line.decision === 'admitted' ? 'info' : 'warn'](decisionMessage, { ...line });
}
