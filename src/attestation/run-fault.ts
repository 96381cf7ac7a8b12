import type { AppError } from '../model/errors.ts';

/**
 * Codes of faults that lie in the run itself: no waiting and no administrator mends them. Everything else (a server that
 * is away, credentials, certificates, a full tag) is tried again for ever, with growing pauses.
 */
const runFaults = new Set([
  'ERR_SUBJECT_ABSENT',
  'ERR_SUBJECT_REPOSITORY',
  'ERR_TEKTON_TASKRUN',
  'ERR_TEKTON_RESULT',
  'ERR_TEKTON_RESULT_UNPAIRED',
  'ERR_STATEMENT_ENCODE',
  'ERR_STORAGE_TOO_LARGE',
  'ERR_SUBJECT_UNREADABLE',
]);

/** True for a fault that only another run can mend. */
export function isRunFault(fault: AppError): boolean {
  // What makes an image impossible to catalogue does not pass either.
  return runFaults.has(fault.code) || (fault.code.startsWith('ERR_SBOM_') && fault.kind === 'permanent');
}
