import { isAppError } from '../../../src/model/errors.ts';
import type { AppError } from '../../../src/model/errors.ts';

/** The AppError that a promise rejects with; anything else fails the test. */
export async function rejectionOf(promise: Promise<unknown>): Promise<AppError> {
  try {
    await promise;
  } catch (error) {
    if (isAppError(error)) return error;
    throw error;
  }
  throw new Error('the promise was not rejected');
}
