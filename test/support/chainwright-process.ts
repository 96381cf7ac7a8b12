import { join, resolve } from 'node:path';
import { request } from 'undici';
import type { Stack } from '../../hack/stack/stack.ts';
import type { SettingsInput } from '../../src/settings/settings-schema.ts';
import { Child } from './child.ts';
import type { ProcessUsage } from './process-usage.ts';
import { readUsage } from './process-usage.ts';
import { waitFor } from './waiting.ts';

/** Folder of the project. */
export const checkout = resolve(import.meta.dirname, '../..');

/** `terminationGracePeriodSeconds` of the Deployments in config/. */
const graceMs = { controller: 45_000, monitor: 30_000, webhook: 30_000 } as const;

/** What a command of ours is run with. */
export interface ChainwrightLaunch {
  readonly command: 'controller' | 'monitor' | 'webhook';
  /** What is started, and its first arguments; `bin/chainwright` of the checkout if absent. */
  readonly program?: readonly [string, ...string[]];
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** `HOST:PORT` of `/metrics` and `/readyz`. */
  readonly metricsAddress: string;
  /** How long it may take to be ready; 120 s if absent. */
  readonly readyWithinMs?: number;
}

/** A long-running command of ours as its own process. It outlives being killed: it can be started again. */
export class ChainwrightProcess {
  readonly #launch: ChainwrightLaunch;
  #child: Child | undefined;

  constructor(launch: ChainwrightLaunch) {
    this.#launch = launch;
  }

  get logFile(): string {
    return this.#launch.logFile;
  }

  get pid(): number {
    return this.#running().pid;
  }

  /** Starts the process, again after it was stopped or killed, and waits until it is ready. */
  async restart(): Promise<void> {
    const { command, args, env, logFile, readyWithinMs = 120_000 } = this.#launch;
    const { program: [file, ...first] = [join(checkout, 'bin/chainwright')] } = this.#launch;
    const child = await Child.start({
      name: `chainwright ${command}`,
      file,
      args: [...first, command, ...args],
      env,
      logFile,
    });
    this.#child = child;
    const isReady = await waitFor(async () => (child.isRunning ? this.#findReady() : false), {
      what: `the ${command} being ready`,
      timeoutMs: readyWithinMs,
    }).catch(() => false);
    if (isReady) return;
    const failure = await child.failure('did not become ready');
    await child.kill();
    throw failure;
  }

  /** The text of `/metrics`. */
  async metrics(): Promise<string> {
    const { body } = await request(`http://${this.#launch.metricsAddress}/metrics`);
    return body.text();
  }

  usage(): Promise<ProcessUsage> {
    return readUsage(this.pid);
  }

  /** Ends it as Kubernetes would; gives its exit code. */
  async stop(): Promise<number | NodeJS.Signals> {
    return this.#running().stop(graceMs[this.#launch.command]);
  }

  /** Kills it in the midst of what it does. */
  async kill(): Promise<void> {
    await this.#running().kill();
  }

  /** Stops it if it ever ran. */
  protected async stopIfStarted(): Promise<void> {
    await this.#child?.stop();
  }

  async #findReady(): Promise<true | undefined> {
    const { statusCode, body } = await request(`http://${this.#launch.metricsAddress}/readyz`);
    await body.dump();
    return statusCode === 200 ? true : undefined;
  }

  #running(): Child {
    if (this.#child === undefined) throw new Error(`the ${this.#launch.command} was never started`);
    return this.#child;
  }
}

/** The environment that a Deployment would give it, with `more` laid over it. */
export function processEnvironment(
  stack: Stack,
  folder: string,
  more: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const { PATH = '' } = process.env;
  return {
    PATH,
    HOME: folder,
    KUBECONFIG: join(folder, 'kubeconfig'),
    SSL_CERT_FILE: stack.ca,
    DOCKER_CONFIG: stack.env['DOCKER_CONFIG'] ?? '',
    ...more,
  };
}

/** A settings object, as the file that `--config` names: JSON is YAML too. */
export function settingsFile(spec: SettingsInput): string {
  return JSON.stringify({
    apiVersion: 'chainwright.dev/v1alpha1',
    kind: 'ChainwrightConfig',
    metadata: { name: 'default' },
    spec,
  });
}
