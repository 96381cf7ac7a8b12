import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import Mocha from 'mocha';
import type { MochaOptions, Runner, Test } from 'mocha';
import type { FileResult, SuiteResult } from './results.ts';

/**
 * Prints as mocha's `spec` does, and writes what each test file came to, a {@link SuiteResult} as JSON, into the file
 * that the reporter option `results` names.
 */
export default class ResultsReporter extends Mocha.reporters.Spec {
  constructor(runner: Runner, options: MochaOptions) {
    super(runner, options);
    const { results: output } = options.reporterOptions as { readonly results: string };
    const files = new Map<string, FileResult>();
    const resultOf = ({ file = 'unknown' }: Test): FileResult => {
      const name = relative(process.cwd(), file);
      const result = files.get(name) ?? { passed: 0, failures: [] };
      files.set(name, result);
      return result;
    };
    runner.on('pass', (test) => {
      resultOf(test).passed += 1;
    });
    runner.on('pending', (test) => {
      resultOf(test).failures.push({
        title: test.fullTitle(),
        message: 'skipped: a skipped test proves nothing',
      });
    });
    runner.on('fail', (test, { message }: Error) => {
      resultOf(test).failures.push({ title: test.fullTitle(), message });
    });
    runner.once('end', () => {
      const result: SuiteResult = Object.fromEntries(files);
      writeFileSync(output, JSON.stringify(result));
    });
  }
}
