/** A test, or a hook, that failed. */
export interface Failure {
  readonly title: string;
  readonly message: string;
}

/** What one test file came to. */
export interface FileResult {
  passed: number;
  readonly failures: Failure[];
}

/** What each test file of a suite came to, by its path in the checkout. */
export type SuiteResult = Readonly<Record<string, FileResult>>;

/** A failure, and the file that it is in. */
export interface FailureInFile extends Failure {
  readonly file: string;
}

const shownMessage = 400;

/** The failures of a suite, in the order of its files. */
export function failuresOf(result: SuiteResult): FailureInFile[] {
  return Object.entries(result).flatMap(([file, { failures }]) =>
    failures.map((failure) => ({ ...failure, file })),
  );
}

/** How many tests of a suite passed. */
export function passedOf(result: SuiteResult): number {
  return Object.values(result).reduce((sum, { passed }) => sum + passed, 0);
}

/** A suite after some of its files ran once more: the last word on each file, and the failures that did not come again. */
export function joinAttempts(
  first: SuiteResult,
  second: SuiteResult,
): { readonly result: SuiteResult; readonly flaky: FailureInFile[] } {
  const result = { ...first, ...second };
  const left = new Set(failuresOf(result).map(({ title }) => title));
  return { result, flaky: failuresOf(first).filter(({ title }) => !left.has(title)) };
}

/** One failure in two lines: where, and what was said. */
export function describeFailure({ file, title, message }: FailureInFile): string {
  return `  ${file}: ${title}\n      ${message.replaceAll(/\s+/g, ' ').slice(0, shownMessage)}`;
}
