import { isAppError, messageOf } from '../model/errors.ts';
import type { LogFields } from '../model/log.ts';

/**
 * What a log line says of a thrown value: `error`, `code`, `faultKind`, `object`, `remedy`, and the stack where it is
 * a bug of ours.
 */
export function errorFields(error: unknown): LogFields {
  const isBug = !isAppError(error) || error.kind === 'bug';
  const stack = isBug && error instanceof Error ? error.stack : undefined;
  return {
    error: messageOf(error),
    ...(isAppError(error)
      ? { code: error.code, faultKind: error.kind, object: error.object, remedy: error.remedy }
      : { code: 'ERR_UNEXPECTED', faultKind: 'bug' }),
    stack,
  };
}
