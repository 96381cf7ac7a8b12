import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** How to start a program that runs until it is told to end. */
export interface ChildCommand {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** File that takes stdout and stderr; appended to. */
  readonly logFile: string;
}

// As the kubelet gives a Pod; the webhook alone may take twenty seconds to end in order.
const graceMs = 30_000;

/** A program under test or a peer, with its output in a file. */
export class Child {
  readonly pid: number;
  readonly logFile: string;
  readonly #name: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<number | NodeJS.Signals>;
  #isEnded = false;

  private constructor(command: ChildCommand, process: ChildProcess) {
    this.#name = command.name;
    this.logFile = command.logFile;
    this.pid = process.pid ?? 0;
    this.#process = process;
    this.#ended = new Promise((resolve) => {
      process.once('exit', (code, signal) => {
        this.#isEnded = true;
        resolve(code ?? signal ?? 1);
      });
    });
  }

  /** Starts the program; it is running when this resolves. */
  static async start(command: ChildCommand): Promise<Child> {
    const log = openSync(command.logFile, 'a');
    const child = spawn(command.file, command.args, { stdio: ['ignore', log, log], env: command.env });
    closeSync(log);
    await new Promise((resolve, reject) => {
      child.once('error', reject).once('spawn', resolve);
    });
    return new Child(command, child);
  }

  get isRunning(): boolean {
    return !this.#isEnded;
  }

  /** Its exit code, or the signal that ended it, once it ended. */
  get ended(): Promise<number | NodeJS.Signals> {
    return this.#ended;
  }

  /** Ends it with SIGTERM, or another signal that it wants, after a grace period with SIGKILL; gives its exit code or the signal that ended it. */
  async stop(waitMs = graceMs, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | NodeJS.Signals> {
    if (this.isRunning) this.#process.kill(signal);
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), waitMs);
    const end = await this.#ended;
    clearTimeout(timer);
    return end;
  }

  /** Kills it in the midst of what it does. */
  async kill(): Promise<void> {
    if (this.isRunning) this.#process.kill('SIGKILL');
    await this.#ended;
  }

  /** An error that holds the end of its output. */
  async failure(what: string): Promise<Error> {
    const log = await readFile(this.logFile, 'utf8').catch(() => '');
    return new Error(
      `${this.#name} ${what}; the end of its output:\n${log.trimEnd().split('\n').slice(-25).join('\n')}`,
    );
  }
}
