import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const checkout = resolve(import.meta.dirname, '../../..');

/** The program under test. */
export const program = resolve(checkout, 'bin/chainwright');

/** How it ended. */
export interface CliOutcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `./bin/chainwright` to its end. The environment holds PATH, HOME and what is given, nothing else. */
export async function runCli(
  args: readonly string[],
  options: {
    readonly cwd: string;
    readonly input?: string;
    readonly env?: Readonly<Record<string, string>>;
  },
): Promise<CliOutcome> {
  const child = spawn(program, args, { cwd: options.cwd, env: cliEnvironment(options.cwd, options.env) });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  child.stdin.on('error', () => undefined).end(options.input ?? '');
  const code = await new Promise<number | null>((settle, reject) => {
    child.once('error', reject).once('close', settle);
  });
  return { code, stdout, stderr };
}

/** An environment without this machine's settings. */
export function cliEnvironment(
  home: string,
  env: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const { PATH = '' } = process.env;
  // Else compiled code would be kept under HOME, which may be a folder of fixtures.
  const NODE_COMPILE_CACHE = join(tmpdir(), 'chainwright-tests-compiled');
  return { PATH, HOME: home, NODE_COMPILE_CACHE, ...env };
}
