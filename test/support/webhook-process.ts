import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credential } from '../../hack/stack/certificates.ts';
import { kubectl } from '../../hack/stack/stack.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import type { SettingsInput } from '../../src/settings/settings-schema.ts';
import { writeAccountKubeconfig } from './account-kubeconfig.ts';
import { ChainwrightProcess, processEnvironment, settingsFile } from './chainwright-process.ts';
import type { ChainwrightLaunch } from './chainwright-process.ts';
import { freePort } from './free-port.ts';
import type { KubeApi } from './kube-api.ts';
import { createNamespace, deleteNamespace } from './test-namespace.ts';
import { grantWebhookRights } from './webhook-rights.ts';
import type { WebhookRights } from './webhook-rights.ts';

/** How our webhook is started. */
export interface WebhookOptions {
  readonly stack: Stack;
  readonly api: KubeApi;
  /** Laid over the settings for the stack, section by section. */
  readonly settings?: SettingsInput;
  readonly env?: Readonly<Record<string, string>>;
  /** Where the settings come from: a file, or the ChainwrightConfig of the cluster, which is written there. */
  readonly source?: 'file' | 'object';
  /** Whose certificate it shows: one of the stack's, or one that it keeps by itself. */
  readonly certificate?: 'stack' | 'kept';
  /** Name of the WebhookConfigurations whose `caBundle` it keeps. */
  readonly webhookName?: string;
  /** The replica whose namespace and account it shares; it must be there for as long. */
  readonly beside?: WebhookProcess;
}

interface WebhookPlace {
  readonly api: KubeApi;
  readonly namespace: string;
  readonly rights: WebhookRights;
  /** Whether namespace and rights go with it. */
  readonly isFirst: boolean;
  readonly folder: string;
  readonly port: number;
  readonly authority: string;
}

/**
 * `chainwright webhook` as its own process, in a system namespace of its own and with no more rights than config/webhook
 * gives.
 */
export class WebhookProcess extends ChainwrightProcess implements AsyncDisposable {
  readonly serverName = 'localhost';
  readonly #place: WebhookPlace;

  private constructor(place: WebhookPlace, launch: ChainwrightLaunch) {
    super(launch);
    this.#place = place;
  }

  /** Prepares settings and credentials, starts the process and waits until it is ready. */
  static async start(options: WebhookOptions): Promise<WebhookProcess> {
    const { stack, api, certificate = 'stack', webhookName = 'chainwright', beside } = options;
    const isFirst = beside === undefined;
    const { namespace, rights } = beside ?? (await prepareNamespace(api, webhookName));
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-webhook-'));
    const port = await freePort();
    const metricsAddress = `127.0.0.1:${await freePort()}`;
    const config = join(folder, 'config.yaml');
    await writeAccountKubeconfig(stack, rights.account, join(folder, 'kubeconfig'));
    await writeFile(config, settingsFile(settingsOf(options)));
    const isFile = options.source !== 'object';
    if (!isFile) await kubectl(['apply', '--server-side', '--force-conflicts', '-f', config]);
    const own = ['--tls-cert', credential('kubernetes.crt'), '--tls-key', credential('kubernetes.key')];
    const authority = await readFile(stack.ca, 'utf8');
    const webhook = new WebhookProcess(
      { api, namespace, rights, isFirst, folder, port, authority },
      {
        command: 'webhook',
        args: [
          ...(isFile ? ['--config', config] : []),
          ...['--namespace', namespace, '--webhook-name', webhookName],
          ...['--address', `127.0.0.1:${port}`, '--metrics-address', metricsAddress],
          ...(certificate === 'stack' ? [...own, '--tls-ca', stack.ca] : ['--tls-san', 'localhost']),
        ],
        env: processEnvironment(stack, folder, options.env),
        logFile: join(stack.env['STACK_LOGS'] ?? folder, `${namespace}${isFirst ? '' : '-second'}.log`),
        metricsAddress,
      },
    );
    try {
      await webhook.restart();
      return webhook;
    } catch (error) {
      await webhook[Symbol.asyncDispose]();
      throw error;
    }
  }

  get namespace(): string {
    return this.#place.namespace;
  }

  get rights(): WebhookRights {
    return this.#place.rights;
  }

  /** PEM of the authority of the stack's certificate. */
  get authority(): string {
    return this.#place.authority;
  }

  /** Where it serves: `https://localhost:PORT`. */
  get origin(): string {
    return `https://localhost:${this.#place.port}`;
  }

  /** Where workloads are judged. */
  get url(): string {
    return `${this.origin}/validate`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { api, namespace, rights, isFirst, folder } = this.#place;
    await this.stopIfStarted();
    if (isFirst) {
      await rights[Symbol.asyncDispose]();
      await deleteNamespace(api, namespace);
    }
    await rm(folder, { recursive: true, force: true });
  }
}

async function prepareNamespace(
  api: KubeApi,
  webhookName: string,
): Promise<Pick<WebhookPlace, 'namespace' | 'rights'>> {
  const namespace = await createNamespace(api, 'webhook');
  return { namespace, rights: await grantWebhookRights(namespace, webhookName) };
}

function settingsOf({ stack, settings = {} }: WebhookOptions): SettingsInput {
  const trust = settings.trustedRoot?.trustRootRef === undefined ? { file: stack.trustedRoot } : {};
  return {
    ...settings,
    trustedRoot: { ...trust, ...settings.trustedRoot },
    telemetry: { logLevel: 'info', logFormat: 'json', ...settings.telemetry },
  };
}
