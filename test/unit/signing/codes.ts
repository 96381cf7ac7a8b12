import { isAppError } from '../../../src/model/errors.ts';

/** The code of the AppError that `work` throws, or `passed`; other errors go on. */
export function codeOf(work: () => unknown): string {
  try {
    work();
    return 'passed';
  } catch (error) {
    if (isAppError(error)) return error.code;
    throw error;
  }
}

/** As {@link codeOf} for a promise. */
export async function codeOfRejection(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'passed';
  } catch (error) {
    if (isAppError(error)) return error.code;
    throw error;
  }
}
