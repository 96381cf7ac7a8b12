import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Something held that must be let go. */
export interface Held {
  release(): void;
}

const tellAfter = 2000;

/**
 * Takes the lock on a file, waiting for whoever has it. The kernel keeps it for a child (flock) that lives no longer
 * than we do, so a killed run leaves no stale lock.
 */
export async function takeLock(file: string): Promise<Held> {
  await mkdir(dirname(file), { recursive: true });
  const keeper = spawn('flock', [file, 'sh', '-c', 'echo taken; cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const told = setTimeout(() => {
    process.stderr.write(`waiting for another run that holds ${file}\n`);
  }, tellAfter);
  try {
    await new Promise<void>((resolve, reject) => {
      keeper.stdout.once('data', () => {
        resolve();
      });
      keeper.once('error', reject);
      keeper.once('exit', () => {
        reject(new Error(`cannot lock ${file}`));
      });
    });
  } finally {
    clearTimeout(told);
  }
  keeper.stdout.destroy();
  keeper.unref();
  return {
    release: () => {
      keeper.stdin.end();
    },
  };
}
