import { spawn } from 'node:child_process';

/** What one suite came to. */
export interface Tally {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
}

const checks = ['typecheck', 'lint', 'format:check', 'architecture', 'unused'];

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
 * so does a mocha that ends badly without naming a failure.
 */
export async function runMocha(suite: string, environment: Readonly<Record<string, string>>): Promise<Tally> {
  const args = ['--recursive', '--reporter', 'spec', `test/${suite}/**/*.test.ts`];
  const { code, output, seconds } = await run('mocha', args, environment);
  const count = (word: string): number =>
    Number(new RegExp(String.raw`^\s+(\d+) ${word}(?: \(|$)`, 'm').exec(output)?.[1] ?? 0);
  const named = count('failing') + count('pending');
  return { name: suite, passed: count('passing'), failed: code !== 0 && named === 0 ? 1 : named, seconds };
}

async function run(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<{ code: number | null; output: string; seconds: number }> {
  const started = performance.now();
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0', ...environment },
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    process.stdout.write(chunk);
    output += chunk;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  return { code, output, seconds: (performance.now() - started) / 1000 };
}
