import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { request } from 'undici';
import { identityToken, kubectl } from '../../hack/stack/stack.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import type { SettingsInput } from '../../src/settings/settings-schema.ts';
import { controllerAccount, writeAccountKubeconfig } from './account-kubeconfig.ts';
import { Child } from './child.ts';
import { freePort } from './free-port.ts';
import type { ProcessUsage } from './process-usage.ts';
import { readUsage } from './process-usage.ts';
import { waitFor } from './waiting.ts';

const checkout = resolve(import.meta.dirname, '../..');

/** How the controller is started. */
export interface ControllerOptions {
  readonly stack: Stack;
  /** Laid over the settings for the stack, section by section. */
  readonly settings?: SettingsInput;
  /** Laid over the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where the identity token for Fulcio comes from: a mounted file, or the API server. */
  readonly identity?: 'file' | 'request';
}

/** Applies the CRDs' companions that the controller needs: its rights. */
async function applyControllerRights(): Promise<void> {
  await kubectl([
    'apply',
    '--server-side',
    '--force-conflicts',
    '-f',
    join(checkout, 'config/rbac/controller.yaml'),
  ]);
}

/**
 * `chainwright controller` as its own process, as ServiceAccount tekton-chains/tekton-chains-controller with no more
 * rights than config/rbac gives. It outlives being killed: `start` starts it again with the same settings.
 */
export class ControllerProcess implements AsyncDisposable {
  readonly logFile: string;
  readonly #folder: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #metricsAddress: string;
  #child: Child | undefined;

  private constructor(parts: {
    folder: string;
    env: Readonly<Record<string, string>>;
    metricsAddress: string;
    logFile: string;
  }) {
    this.#folder = parts.folder;
    this.#env = parts.env;
    this.#metricsAddress = parts.metricsAddress;
    this.logFile = parts.logFile;
  }

  /** Prepares settings and credentials, starts the process and waits until it is ready. */
  static async start(options: ControllerOptions): Promise<ControllerProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-e2e-'));
    await applyControllerRights();
    await prepare(folder, options);
    const { PATH = '' } = process.env;
    const env = {
      PATH,
      HOME: folder,
      KUBECONFIG: join(folder, 'kubeconfig'),
      SSL_CERT_FILE: options.stack.ca,
      DOCKER_CONFIG: options.stack.env['DOCKER_CONFIG'] ?? '',
      ...options.env,
    };
    const metricsAddress = `127.0.0.1:${await freePort()}`;
    // Beside the servers' logs, and kept when the rest is removed: who wonders about a failed test reads it.
    const name = options.settings?.controller?.namespaces?.join('+') ?? basename(folder);
    const logFile = join(options.stack.env['STACK_LOGS'] ?? folder, `controller-${name}.log`);
    const controller = new ControllerProcess({ folder, env, metricsAddress, logFile });
    await controller.restart();
    return controller;
  }

  /** Starts the process again after it was stopped or killed, and waits until it is ready. */
  async restart(): Promise<void> {
    await this.#launch();
    const child = this.#running();
    const isReady = await waitFor(async () => (child.isRunning ? this.#findReady() : false), {
      what: 'the controller being ready',
      timeoutMs: 30_000,
    }).catch(() => false);
    if (isReady) return;
    const failure = await child.failure('did not become ready');
    await child.kill();
    throw failure;
  }

  get pid(): number {
    return this.#running().pid;
  }

  /** The text of `/metrics`. */
  async metrics(): Promise<string> {
    const { body } = await request(`http://${this.#metricsAddress}/metrics`);
    return body.text();
  }

  usage(): Promise<ProcessUsage> {
    return readUsage(this.pid);
  }

  /** Ends it as Kubernetes would; gives its exit code. */
  async stop(): Promise<number | NodeJS.Signals> {
    return this.#running().stop();
  }

  /** Kills it in the midst of what it does. */
  async kill(): Promise<void> {
    await this.#running().kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #launch(): Promise<void> {
    this.#child = await Child.start({
      name: 'chainwright controller',
      file: join(checkout, 'bin/chainwright'),
      args: [
        'controller',
        '--config',
        join(this.#folder, 'config.yaml'),
        '--metrics-address',
        this.#metricsAddress,
      ],
      env: this.#env,
      logFile: this.logFile,
    });
  }

  async #findReady(): Promise<true | undefined> {
    const { statusCode, body } = await request(`http://${this.#metricsAddress}/readyz`);
    await body.dump();
    return statusCode === 200 ? true : undefined;
  }

  #running(): Child {
    if (this.#child === undefined) throw new Error('the controller was never started');
    return this.#child;
  }
}

async function prepare(
  folder: string,
  { stack, settings = {}, identity = 'file' }: ControllerOptions,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const identityTokenFile = join(folder, identity === 'file' ? 'oidc-token' : 'absent-token');
  // As a projected volume has it: no newline at its end.
  if (identity === 'file') await writeFile(identityTokenFile, await identityToken(), { mode: 0o600 });
  const spec: SettingsInput = {
    ...settings,
    provenance: { builderId: 'https://tekton.golems.internal/chains/v2', ...settings.provenance },
    signer: { fulcio: { url: stack.fulcioUrl, identityTokenFile, issuer: stack.issuer }, ...settings.signer },
    log: { url: stack.rekorUrl, ...settings.log },
    trustedRoot: { file: stack.trustedRoot, ...settings.trustedRoot },
    telemetry: { logLevel: 'debug', logFormat: 'json', ...settings.telemetry },
  };
  const object = {
    apiVersion: 'chainwright.dev/v1alpha1',
    kind: 'ChainwrightConfig',
    metadata: { name: 'default' },
    spec,
  };
  // JSON is YAML too.
  await writeFile(join(folder, 'config.yaml'), JSON.stringify(object));
  await writeAccountKubeconfig(stack, controllerAccount, join(folder, 'kubeconfig'));
}
