import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';

import { crashFault, startFault, timeoutFault } from './evaluation-faults.ts';
import type { ThreadJob, ThreadReply } from './thread-protocol.ts';

type JobBody = ThreadJob extends infer One ? (One extends ThreadJob ? Omit<One, 'job'> : never) : never;

/** The V8 heap holds only messages; the module's memory has its own bound, and recursion needs stack. */
const resourceLimits = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 16, stackSizeMb: 16 };

/**
 * One life of an evaluation thread: started once, asked one job at a time, of no use after the first fault. A job that
 * takes too long is ended by ending the thread, since nothing else stops a loop in WebAssembly.
 */
export class EngineThread {
  readonly #worker: Worker;
  #jobs = 0;
  #waiting: ((reply: ThreadReply | Error) => void) | undefined;
  #memoryBytes = 0;
  #dead = false;

  private constructor(module: WebAssembly.Module) {
    const entry = new URL(`./evaluation-thread${extname(import.meta.url)}`, import.meta.url);
    this.#worker = new Worker(entry, {
      workerData: { module },
      resourceLimits,
      env: {},
      argv: [],
      execArgv: [],
      stdin: false,
      stdout: true,
      stderr: true,
    });
    this.#worker.on('message', (reply: ThreadReply) => this.#waiting?.(reply));
    this.#worker.on('error', (error: unknown) => {
      this.#end(error instanceof Error ? error.message : String(error));
    });
    this.#worker.on('exit', () => {
      this.#end('its thread ended');
    });
    // An idle evaluator keeps no process alive.
    this.#worker.unref();
  }

  /** Starts a thread with a module. Throws ERR_POLICY_ENGINE_START. */
  static async start(module: WebAssembly.Module, timeoutMs: number): Promise<EngineThread> {
    const thread = new EngineThread(module);
    const reply = await thread.#reply(timeoutMs);
    if (reply instanceof Error || reply.kind !== 'ready') {
      await thread.stop();
      throw startFault(reply instanceof Error ? reply.message : 'it answered out of turn');
    }
    thread.#memoryBytes = reply.memoryBytes;
    return thread;
  }

  /** True once the thread cannot be used any more. */
  get isDead(): boolean {
    return this.#dead;
  }

  /** Size of the module's memory after the last job. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /**
   * Has one job done and gives the module's answer. `what` names the work for messages. Throws ERR_POLICY_TIMEOUT and
   * ERR_POLICY_CRASHED, after which the thread is dead.
   */
  async ask(job: JobBody, what: string, timeoutMs: number): Promise<Uint8Array> {
    this.#jobs += 1;
    const message: ThreadJob = { ...job, job: this.#jobs };
    const answered = this.#reply(timeoutMs);
    this.#worker.postMessage(message);
    const reply = await answered;
    if (!(reply instanceof Error) && reply.kind === 'answer' && reply.job === this.#jobs) {
      this.#memoryBytes = reply.memoryBytes;
      return reply.answer;
    }
    await this.stop();
    if (reply instanceof TimeoutExpired) throw timeoutFault(what, timeoutMs);
    throw crashFault(what, reasonOf(reply));
  }

  async stop(): Promise<void> {
    this.#dead = true;
    await this.#worker.terminate();
  }

  #end(reason: string): void {
    this.#dead = true;
    this.#waiting?.(new Error(reason));
  }

  async #reply(timeoutMs: number): Promise<ThreadReply | Error> {
    if (this.#dead) return new Error('its thread ended');
    this.#worker.ref();
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<ThreadReply | Error>((resolve) => {
        this.#waiting = resolve;
        timer = setTimeout(() => {
          resolve(new TimeoutExpired('it took too long'));
        }, timeoutMs);
      });
    } finally {
      clearTimeout(timer);
      this.#waiting = undefined;
      this.#worker.unref();
    }
  }
}

class TimeoutExpired extends Error {}

function reasonOf(reply: ThreadReply | Error): string {
  if (reply instanceof Error) return reply.message;
  return reply.kind === 'crash' ? reply.reason : 'it answered out of turn';
}
