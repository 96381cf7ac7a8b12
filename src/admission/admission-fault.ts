import { AppError, isAppError, messageOf } from '../model/errors.ts';

/** ERR_ADMISSION_REVIEW: what was sent is no AdmissionReview that we can answer. */
export function malformedReview(why: string): AppError {
  return new AppError('ERR_ADMISSION_REVIEW', `this is no AdmissionReview of admission.k8s.io/v1: ${why}`, {
    kind: 'permanent',
    remedy: 'Let only the API server call the webhook, with admissionReviewVersions [v1].',
  });
}

/** ERR_ADMISSION_DEADLINE: the API server would not have waited any longer. */
export function deadlineFault(deadlineMs: number): AppError {
  const seconds = Number((deadlineMs / 1000).toFixed(1));
  return new AppError('ERR_ADMISSION_DEADLINE', `it was not finished within ${seconds} s`, {
    kind: 'passing',
    remedy: 'Try again: the verification goes on meanwhile, and its result is remembered.',
  });
}

/** ERR_ADMISSION_BUSY: there is more to do than is taken on. */
export function busyFault(what: string): AppError {
  return new AppError('ERR_ADMISSION_BUSY', `the webhook has too much to do: ${what}`, {
    kind: 'passing',
    remedy: 'Try again; if it stays so, run more replicas of the webhook.',
  });
}

/** ERR_ADMISSION_NOT_READY: nothing may be admitted before all policies are known. */
export function notReadyFault(): AppError {
  return new AppError('ERR_ADMISSION_NOT_READY', 'the webhook does not know all policies yet', {
    kind: 'passing',
    remedy: 'Try again in a few seconds; if it stays so, look at the log of the webhook.',
  });
}

/** ERR_ADMISSION_PULL_SECRET: credentials that a policy names are not to be had in the workload's namespace. */
export function pullSecretFault(namespace: string, problems: readonly string[]): AppError {
  return new AppError('ERR_ADMISSION_PULL_SECRET', problems.join('; '), {
    kind: 'permanent',
    object: namespace,
    remedy:
      'Create the Secret that the policy names under signaturePullSecrets in the namespace of the workload.',
  });
}

/** Any thrown value as a fault that can be told: ERR_ADMISSION_BUG for what nobody foresaw. */
export function toFault(error: unknown): AppError {
  if (isAppError(error)) return error;
  return new AppError('ERR_ADMISSION_BUG', `the webhook failed: ${messageOf(error)}`, {
    kind: 'bug',
    remedy: 'Please report it with the log of the webhook.',
    cause: error,
  });
}
