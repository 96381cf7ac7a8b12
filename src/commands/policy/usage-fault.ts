import { AppError } from '../../model/errors.ts';

/** ERR_USAGE_FLAGS: flags that make no sense together. */
export function usageFault(message: string, remedy: string): AppError {
  return new AppError('ERR_USAGE_FLAGS', message, { kind: 'permanent', remedy });
}
