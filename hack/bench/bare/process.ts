import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from '../../../test/support/child.ts';
import type { ProcessUsage } from '../../../test/support/process-usage.ts';
import { readUsage } from '../../../test/support/process-usage.ts';
import { waitFor } from '../../../test/support/waiting.ts';
import type { Stack } from '../../stack/stack.ts';

/** The bare load generator as a process of its own, as the controllers are. */
export class BareProcess implements AsyncDisposable {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  /** Starts it and waits until it watches. `folder` is where its output goes if the stack has no place for it. */
  static async start(stack: Stack, folder: string): Promise<BareProcess> {
    const { PATH = '' } = process.env;
    const child = await Child.start({
      name: 'the bare load generator',
      file: process.execPath,
      args: [fileURLToPath(import.meta.resolve('./generator.ts'))],
      env: { ...stack.env, PATH },
      logFile: join(stack.env['STACK_LOGS'] ?? folder, `bare-${process.pid}-${Date.now().toString(36)}.log`),
    });
    await waitFor(
      async () => {
        if (!child.isRunning) return false;
        return (await readFile(child.logFile, 'utf8')).includes('ready') ? true : undefined;
      },
      { what: 'the bare load generator watching', timeoutMs: 60_000 },
    );
    if (!child.isRunning) throw await child.failure('ended at its start');
    return new BareProcess(child);
  }

  usage(): Promise<ProcessUsage> {
    return readUsage(this.#child.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stop();
  }
}
