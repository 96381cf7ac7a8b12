import type { Stage } from './metrics.ts';

/** What is noted with a span: all names are in docs/observability.md; never tokens, keys or signed contents. */
export type SpanNotes = Readonly<Record<string, string | number>>;

/** A run that is worked on. */
export interface TracedRun {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** When the wait for what is done now began. */
  readonly since: Date;
}

/** Where the time of a run goes: one trace a run, a span for each pass over it and each stage of that. */
export interface Tracing {
  /** A pass over a run. */
  run<Result>(run: TracedRun, work: () => Promise<Result>): Promise<Result>;
  /** A stage of the pass that calls it. */
  stage<Result>(
    stage: Exclude<Stage, 'run' | 'queue-wait'>,
    work: (note: (notes: SpanNotes) => void) => Promise<Result>,
  ): Promise<Result>;
  /** What log lines about a run name its trace by; undefined where nothing is traced. */
  traceIdOf(uid: string): string | undefined;
}

const unnoted = (): void => undefined;

/** Traces nothing, and costs nothing. */
export const noTracing: Tracing = {
  run: (_, work) => work(),
  stage: (_, work) => work(unnoted),
  traceIdOf: () => undefined,
};
