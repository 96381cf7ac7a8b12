import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { request } from 'undici';
import { credential } from '../../hack/stack/certificates.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import type { SettingsInput } from '../../src/settings/settings-schema.ts';
import { writeAccountKubeconfig } from './account-kubeconfig.ts';
import { Child } from './child.ts';
import { freePort } from './free-port.ts';
import type { KubeApi } from './kube-api.ts';
import type { ProcessUsage } from './process-usage.ts';
import { readUsage } from './process-usage.ts';
import { createNamespace, deleteNamespace } from './test-namespace.ts';
import { waitFor } from './waiting.ts';
import { grantWebhookRights } from './webhook-rights.ts';

const checkout = resolve(import.meta.dirname, '../..');

/** How our webhook is started. */
export interface WebhookOptions {
  readonly stack: Stack;
  readonly api: KubeApi;
  /** Laid over the settings for the stack, section by section. */
  readonly settings?: SettingsInput;
  readonly env?: Readonly<Record<string, string>>;
  /** Whose certificate it shows: one of the stack's, or one that it keeps by itself. */
  readonly certificate?: 'stack' | 'kept';
  /** Name of the WebhookConfigurations whose `caBundle` it keeps. */
  readonly webhookName?: string;
}

/**
 * `chainwright webhook` as its own process, in a system namespace of its own and with no more rights than config/webhook
 * gives. It outlives being killed.
 */
export class WebhookProcess implements AsyncDisposable {
  readonly namespace: string;
  /** Where it serves: `https://localhost:PORT`. */
  readonly origin: string;
  readonly serverName = 'localhost';
  /** PEM of the authority of the stack's certificate. */
  readonly authority: string;
  readonly logFile: string;
  readonly #api: KubeApi;
  readonly #rights: AsyncDisposable;
  readonly #folder: string;
  readonly #args: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  readonly #metricsAddress: string;
  #child: Child | undefined;

  private constructor(parts: {
    readonly api: KubeApi;
    readonly namespace: string;
    readonly rights: AsyncDisposable;
    readonly folder: string;
    readonly port: number;
    readonly authority: string;
    readonly logFile: string;
    readonly metricsAddress: string;
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
  }) {
    this.#api = parts.api;
    this.namespace = parts.namespace;
    this.#rights = parts.rights;
    this.#folder = parts.folder;
    this.origin = `https://localhost:${parts.port}`;
    this.authority = parts.authority;
    this.logFile = parts.logFile;
    this.#metricsAddress = parts.metricsAddress;
    this.#args = parts.args;
    this.#env = parts.env;
  }

  /** Prepares settings and credentials, starts the process and waits until it is ready. */
  static async start(options: WebhookOptions): Promise<WebhookProcess> {
    const { stack, api, certificate = 'stack', webhookName = 'chainwright' } = options;
    const namespace = await createNamespace(api, 'webhook');
    const rights = await grantWebhookRights(namespace, webhookName);
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-webhook-'));
    const port = await freePort();
    const metricsAddress = `127.0.0.1:${await freePort()}`;
    const config = join(folder, 'config.yaml');
    const kubeconfig = join(folder, 'kubeconfig');
    await writeAccountKubeconfig(stack, rights.account, kubeconfig);
    await writeFile(config, JSON.stringify(settingsObject(options)));
    const own = ['--tls-cert', credential('kubernetes.crt'), '--tls-key', credential('kubernetes.key')];
    const args = [
      ...['webhook', '--config', config, '--namespace', namespace, '--webhook-name', webhookName],
      ...['--address', `127.0.0.1:${port}`, '--metrics-address', metricsAddress],
      ...(certificate === 'stack' ? [...own, '--tls-ca', stack.ca] : ['--tls-san', 'localhost']),
    ];
    const { PATH = '' } = process.env;
    const env = {
      PATH,
      HOME: folder,
      KUBECONFIG: kubeconfig,
      SSL_CERT_FILE: stack.ca,
      DOCKER_CONFIG: stack.env['DOCKER_CONFIG'] ?? '',
      ...options.env,
    };
    const logFile = join(stack.env['STACK_LOGS'] ?? folder, `${namespace}.log`);
    const authority = await readFile(stack.ca, 'utf8');
    const webhook = new WebhookProcess({
      ...{ api, namespace, rights, folder, port, authority, logFile, metricsAddress, args, env },
    });
    try {
      await webhook.restart();
      return webhook;
    } catch (error) {
      await webhook[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts the process again after it was stopped or killed, and waits until it is ready. */
  async restart(): Promise<void> {
    this.#child = await Child.start({
      name: 'chainwright webhook',
      file: join(checkout, 'bin/chainwright'),
      args: this.#args,
      env: this.#env,
      logFile: this.logFile,
    });
    const child = this.#child;
    const isReady = await waitFor(async () => (child.isRunning ? this.#findReady() : false), {
      what: 'the webhook being ready',
      timeoutMs: 30_000,
    }).catch(() => false);
    if (isReady) return;
    const failure = await child.failure('did not become ready');
    await child.kill();
    throw failure;
  }

  /** Where workloads are judged. */
  get url(): string {
    return `${this.origin}/validate`;
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.stop();
    await this.#rights[Symbol.asyncDispose]();
    await deleteNamespace(this.#api, this.namespace);
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #findReady(): Promise<true | undefined> {
    const { statusCode, body } = await request(`http://${this.#metricsAddress}/readyz`);
    await body.dump();
    return statusCode === 200 ? true : undefined;
  }

  #running(): Child {
    if (this.#child === undefined) throw new Error('the webhook was never started');
    return this.#child;
  }
}

function settingsObject({ stack, settings = {} }: WebhookOptions): object {
  const trust = settings.trustedRoot?.trustRootRef === undefined ? { file: stack.trustedRoot } : {};
  const spec: SettingsInput = {
    ...settings,
    trustedRoot: { ...trust, ...settings.trustedRoot },
    telemetry: { logLevel: 'info', logFormat: 'json', ...settings.telemetry },
  };
  return {
    apiVersion: 'chainwright.dev/v1alpha1',
    kind: 'ChainwrightConfig',
    metadata: { name: 'default' },
    spec,
  };
}
