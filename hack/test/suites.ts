import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failuresOf, joinAttempts, passedOf } from './results.ts';
import type { FailureInFile, SuiteResult } from './results.ts';

/** What one suite came to. */
export interface Tally {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
  /** What failed, for those who see only the end of the output. */
  readonly failures?: readonly FailureInFile[];
  /** What failed among the others and passed when its file was run again, alone. */
  readonly flaky?: readonly FailureInFile[];
}

/** How to run a suite. */
export interface SuiteOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Run files with failures again, once. */
  readonly isRunAgain?: boolean;
}

const checks = ['typecheck', 'lint', 'format:check', 'architecture', 'unused'];

// More than this is no accident.
const filesRunAgain = 4;

/** Runs the static checks of package.json; each counts as one test. */
export async function runChecks(): Promise<Tally[]> {
  const tallies: Tally[] = [];
  for (const check of checks) {
    const { code, seconds } = await run('npm', ['run', '--silent', check], {});
    tallies.push({ name: check, passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, seconds });
  }
  return tallies;
}

/**
 * Runs mocha over `test/<suite>` and counts. A pending test counts as failed, since a skipped test proves nothing;
 * so does a mocha that ends badly without naming a failure. With `isRunAgain`, what fails and then passes is counted
 * as passed and listed as flaky: it is a fault to be mended, but none of the change that is being tested.
 */
export async function runMocha(
  suite: string,
  { environment = {}, isRunAgain }: SuiteOptions = {},
): Promise<Tally> {
  const first = await attempt([`test/${suite}/**/*.test.ts`], environment);
  const failing = Object.entries(first.result).filter(([, { failures }]) => failures.length > 0);
  if (isRunAgain !== true || failing.length === 0 || failing.length > filesRunAgain)
    return tallyOf(suite, first);
  console.log(`\nonce more, alone: ${failing.map(([file]) => file).join(', ')}`);
  const second = await attempt(
    failing.map(([file]) => file),
    environment,
  );
  const { result, flaky } = joinAttempts(first.result, second.result);
  const seconds = first.seconds + second.seconds;
  return { ...tallyOf(suite, { code: second.code, result, seconds }), flaky };
}

interface Attempt {
  readonly code: number | null;
  readonly result: SuiteResult;
  readonly seconds: number;
}

function tallyOf(name: string, { code, result, seconds }: Attempt): Tally {
  const failures = failuresOf(result);
  const failed = code !== 0 && failures.length === 0 ? 1 : failures.length;
  return { name, passed: passedOf(result), failed, seconds, failures };
}

async function attempt(
  files: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Attempt> {
  const folder = await mkdtemp(join(tmpdir(), 'chainwright-tests-'));
  try {
    const results = join(folder, 'results.json');
    const reporter = ['--reporter', 'hack/test/reporter.ts', '--reporter-option', `results=${results}`];
    const ended = await run('mocha', [...reporter, ...files], environment);
    // A mocha that died wrote nothing.
    const text = await readFile(results, 'utf8').catch(() => '{}');
    return { ...ended, result: JSON.parse(text) as SuiteResult };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function run(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<{ code: number | null; seconds: number }> {
  const started = performance.now();
  const child = spawn(command, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0', ...environment },
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  return { code, seconds: (performance.now() - started) / 1000 };
}
