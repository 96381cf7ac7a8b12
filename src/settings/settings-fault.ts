import type { z } from 'zod';
import { AppError } from '../model/errors.ts';
import { valueAt } from './settings-tree.ts';

/** Where a setting came from, strongest first. */
export type SettingsSource = 'flag' | 'environment' | 'object' | 'chains-config' | 'default';

/** One thing that is wrong with the settings, in the words of whoever wrote them. */
export interface SettingsFault {
  readonly source: SettingsSource;
  /** What the author called it: `spec.log.url`, `COSIGN_REKOR_URL`, `signers.kms.kmsref`. */
  readonly name: string;
  /** The value at fault; left out where it could be a secret or is absent. */
  readonly value?: unknown;
  /** What would be right. */
  readonly rule: string;
}

const maxValueLength = 120;

/** All faults as one error ERR_SETTINGS_INVALID, a line for each. */
export function settingsInvalid(faults: readonly SettingsFault[]): AppError {
  const lines = faults.map(
    ({ source, name, value, rule }) =>
      `- ${name}${value === undefined ? '' : ` = ${shorten(value)}`} (${source}): ${rule}`,
  );
  const count = faults.length === 1 ? 'one fault' : `${faults.length} faults`;
  return new AppError('ERR_SETTINGS_INVALID', `the settings have ${count}:\n${lines.join('\n')}`, {
    kind: 'permanent',
    remedy: 'Correct the named values; docs/settings.md lists every field with its rule.',
  });
}

function shorten(value: unknown): string {
  // An address may carry a password, which is refused, but must not be repeated either.
  const text = JSON.stringify(value).replaceAll(/\/\/[^/@\s]*@/g, '//***@');
  return text.length > maxValueLength ? `${text.slice(0, maxValueLength)}...` : text;
}

/** What zod found in `input`, as (path, value, rule). */
export function listIssues(
  error: z.ZodError,
  input: unknown,
): readonly { readonly path: readonly string[]; readonly value: unknown; readonly rule: string }[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.map(String);
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        path: [...path, key],
        value: valueAt(input, [...path, key]),
        rule: 'is an unknown field',
      }));
    }
    return [{ path, value: valueAt(input, path), rule: ruleOf(issue) }];
  });
}

function ruleOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_value':
      return `must be ${issue.values.length === 1 ? '' : 'one of '}${issue.values.map(String).join(', ')}`;
    case 'invalid_type':
      return issue.input === undefined && issue.message.includes('undefined')
        ? 'is missing'
        : `must be a ${issue.expected}`;
    case 'too_big':
      return `${measureOf(issue.origin)} at most ${issue.maximum}`;
    case 'too_small':
      return `${measureOf(issue.origin)} at least ${issue.minimum}`;
    default:
      return issue.message;
  }
}

function measureOf(origin: string): string {
  if (origin === 'string') return 'must have a length of';
  return origin === 'array' ? 'must have a number of items of' : 'must be';
}
