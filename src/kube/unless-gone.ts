import { isAppError } from '../model/errors.ts';

/** What `work` gives, or undefined where the object, its namespace or its kind is not there. Throws what else it throws. */
export async function unlessGone<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isAppError(error) && error.code === 'ERR_KUBE_NOT_FOUND') return undefined;
    throw error;
  }
}
