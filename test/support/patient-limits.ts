import type { EvaluationLimits } from '../../src/policy/evaluation/evaluation-limits.ts';

/** Deadlines of a policy engine for a machine that is busy with other tests. */
export const patientLimits = {
  evaluateMs: 30_000,
  compileMs: 30_000,
  startMs: 60_000,
} satisfies Partial<EvaluationLimits>;
