import { spawn } from 'node:child_process';

/** How to run a command to its end. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
}

/** What a command printed on stdout. */
export type Output = string;

const keptErrorText = 4000;

/** Runs a command to its end; a failure is an error that holds the end of what it printed. */
export async function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<Output> {
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const printed: Buffer[] = [];
  const complained: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => printed.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => complained.push(chunk));
  // A command that doesn't read its input may be gone before we have written it.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');

  const code = await new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.once('error', (error) => {
      reject(new Error(`cannot run ${file}: ${error.message}`));
    });
    child.once('close', (exit, signal) => {
      resolve(exit ?? signal ?? 1);
    });
  });
  const output = Buffer.concat(printed).toString('utf8');
  if (code !== 0) {
    const end = (Buffer.concat(complained).toString('utf8') + output).trim().slice(-keptErrorText);
    throw new Error(`${file} ${args.slice(0, 3).join(' ')} failed (${code}):\n${end}`);
  }
  return output;
}
