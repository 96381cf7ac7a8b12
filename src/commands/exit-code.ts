import { isAppError } from '../model/errors.ts';

/** Exit codes of the command line, the same for every command. */
export const exitCodes = { good: 0, checkFailed: 1, wrongUsage: 2, unreachable: 3 } as const;

const badInput = /^ERR_(?:USAGE_|SETTINGS_|POLICY_INVALID$)/;

/** The exit code for what a command threw: bad input 2, a system that could not be reached 3, all else 1. */
export function exitCodeOf(error: unknown): number {
  if (!isAppError(error)) return exitCodes.checkFailed;
  if (badInput.test(error.code)) return exitCodes.wrongUsage;
  return error.kind === 'passing' ? exitCodes.unreachable : exitCodes.checkFailed;
}

/** The lines that a person sees for what a command threw: code, message, remedy. */
export function describeFailure(error: unknown): string {
  if (!isAppError(error)) return error instanceof Error ? (error.stack ?? error.message) : String(error);
  const remedy = error.remedy === undefined ? '' : `\n  ${error.remedy}`;
  return `${error.code}: ${error.message}${remedy}`;
}
