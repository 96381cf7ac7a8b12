import type { z } from 'zod';
import { AppError } from '../model/errors.ts';

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
    ({ source, name, value, rule }) => `- ${name}${value === undefined ? '' : ` = ${shorten(value)}`} (${source}): ${rule}`,
  );
  const count = faults.length === 1 ? 'one fault' : `${faults.length} faults`;
  return new AppError('ERR_SETTINGS_INVALID', `the settings have ${count}:\n${lines.join('\n')}`, {
    kind: 'permanent',
    remedy: 'Correct the named values; docs/settings.md lists every field with its rule.',
  });
}

function shorten(value: unknown): string {
  const text = JSON.stringify(value) ?? typeof value;
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
      return issue.keys.map((key) => ({ path: [...path, key], value: valueAt(input, [...path, key]), rule: 'is an unknown field' }));
    }
    return [{ path, value: valueAt(input, path), rule: ruleOf(issue) }];
  });
}

function ruleOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_value':
      return `must be ${issue.values.length === 1 ? '' : 'one of '}${issue.values.map(String).join(', ')}`;
    case 'invalid_type':
      return issue.input === undefined && issue.message.includes('undefined') ? 'is missing' : `must be a ${issue.expected}`;
    case 'too_big':
      return `must have or be at most ${issue.maximum}`;
    case 'too_small':
      return `must have or be at least ${issue.minimum}`;
    default:
      return issue.message;
  }
}

/** The value at `path` in plain data, undefined where there is none. */
export function valueAt(input: unknown, path: readonly string[]): unknown {
  let current = input;
  for (const name of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, name)) return undefined;
    current = (current as Record<string, unknown>)[name];
  }
  return current;
}
