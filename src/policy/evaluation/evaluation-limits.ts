/** Upper bounds of policy evaluation; each with the reason for its size. */
export interface EvaluationLimits {
  /** A policy's source: etcd takes objects of 1.5 MiB. */
  readonly policyBytes: number;
  /** A document: an evaluator needs about a hundred times its size in memory. */
  readonly documentBytes: number;
  /** Waiting evaluations of one language: more would only time out at the API server. */
  readonly queued: number;
  /** Policies kept compiled in an instance; the one used longest ago makes room. */
  readonly loadedPolicies: number;
  /** One evaluation, in milliseconds; ordinary ones take a few. */
  readonly evaluateMs: number;
  /** One compilation, in milliseconds. */
  readonly compileMs: number;
  /** Loading a module and starting a thread, in milliseconds. */
  readonly startMs: number;
  /** An instance that has grown beyond this is replaced: WebAssembly memory never shrinks. */
  readonly recycleBytes: number;
  /** A policy that was stopped so many times in a row rests for `restMs`, so that it doesn't starve the others. */
  readonly strikes: number;
  readonly restMs: number;
}

/** What holds unless the composition root says otherwise. */
export const evaluationLimits: EvaluationLimits = {
  policyBytes: 1024 * 1024,
  documentBytes: 4 * 1024 * 1024,
  queued: 256,
  loadedPolicies: 64,
  evaluateMs: 5_000,
  compileMs: 5_000,
  startMs: 30_000,
  recycleBytes: 256 * 1024 * 1024,
  strikes: 3,
  restMs: 60_000,
};
