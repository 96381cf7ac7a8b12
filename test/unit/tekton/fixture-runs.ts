import { readFileSync, readdirSync } from 'node:fs';
import { parse } from 'yaml';
import { formatRepository } from '../../../src/model/image-reference.ts';
import type { PinnedImage } from '../../../src/model/image-reference.ts';
import type { Source } from '../../../src/tekton/finding.ts';
import { parseTaskRun } from '../../../src/tekton/task-run.ts';
import type { TaskRun } from '../../../src/tekton/task-run.ts';

/** What test/fixtures/taskruns/README.md describes. */
export interface Expectation {
  readonly about: string;
  readonly complete: boolean;
  readonly succeeded: boolean;
  readonly subjects: readonly object[];
  readonly materials: readonly object[];
  readonly problems: readonly {
    readonly code: string;
    readonly severity: string;
    readonly source: Source;
    readonly says: string;
  }[];
  readonly statement: object;
}

const folder = new URL('../../fixtures/taskruns/', import.meta.url);

/** Every TaskRun of the fixtures with what is expected of it. */
export const fixtureRuns: readonly {
  readonly name: string;
  readonly expected: Expectation;
  readonly object: unknown;
}[] = readdirSync(folder)
  .filter((file) => file.endsWith('.taskrun.yaml'))
  .map((file) => {
    const name = file.replace('.taskrun.yaml', '');
    return {
      name,
      object: parse(readFileSync(new URL(file, folder), 'utf8')) as unknown,
      expected: JSON.parse(readFileSync(new URL(`${name}.expected.json`, folder), 'utf8')) as Expectation,
    };
  });

/** A finished run with these results and more status, for tests of one rule. */
export function runWith(
  results: Readonly<Record<string, unknown>>,
  status: Readonly<Record<string, unknown>> = {},
  spec: Readonly<Record<string, unknown>> = {},
): TaskRun {
  return parseTaskRun({
    metadata: { name: 'run', namespace: 'ci' },
    spec,
    status: { results: Object.entries(results).map(([name, value]) => ({ name, value })), ...status },
  });
}

/** `HOST/PATH@DIGEST`. */
export function formatPinned(image: PinnedImage): string {
  return `${formatRepository(image.repository)}@${image.digest}`;
}
