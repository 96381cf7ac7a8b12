import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { builtPath, ensureBuilt } from '../../hack/stack/build/binaries.ts';
import { kubectl } from '../../hack/stack/stack.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import { componentNamed } from '../../hack/stack/versions.ts';
import { writeAccountKubeconfig } from './account-kubeconfig.ts';
import { Child } from './child.ts';
import { freePort } from './free-port.ts';
import type { KubeApi, KubeObject } from './kube-api.ts';
import { administratorBinding, readConfigMaps } from './peer-objects.ts';
import type { ProcessUsage } from './process-usage.ts';
import { readUsage } from './process-usage.ts';
import { createNamespace, deleteNamespace } from './test-namespace.ts';
import { trustRootsPath } from './trust-root.ts';
import { waitFor } from './waiting.ts';

/** How the peer is started. */
export interface PolicyControllerOptions {
  readonly stack: Stack;
  readonly api: KubeApi;
  readonly env?: Readonly<Record<string, string>>;
}

const webhook = componentNamed('policy-controller');
const config = componentNamed('policy-controller-config');
// It parses the flag for another port too late to heed it.
const port = 8443;
const finalized = [trustRootsPath, '/apis/policy.sigstore.dev/v1alpha1/clusterimagepolicies'];
const finalizer = /^(?:clusterimagepolicies|trustroots)\.policy\.sigstore\.dev$/;

/** Version of the peer, without a leading v. */
export const policyControllerVersion = webhook.version.replace(/^v/, '');

/**
 * The real webhook of policy-controller, with its own configuration, in a system namespace of its own. No webhook
 * configuration names it: who wants a judgement posts a review. While it runs it looks after all ClusterImagePolicies and
 * TrustRoots of the cluster, as its reconcilers do.
 */
export class PolicyControllerProcess implements AsyncDisposable {
  readonly #api: KubeApi;
  readonly #namespace: string;
  readonly #folder: string;
  readonly #child: Child;
  #authority = '';

  private constructor(api: KubeApi, namespace: string, folder: string, child: Child) {
    this.#api = api;
    this.#namespace = namespace;
    this.#folder = folder;
    this.#child = child;
  }

  /** Starts it and waits until it serves. */
  static async start({ stack, api, env }: PolicyControllerOptions): Promise<PolicyControllerProcess> {
    await ensureBuilt([webhook, config]);
    await removeFinalizers(api);
    const namespace = await createNamespace(api, 'policy-controller-peer');
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-peer-'));
    await applyConfiguration(namespace);
    await writeAccountKubeconfig(stack, { namespace, name: 'default' }, join(folder, 'kubeconfig'));
    const child = await Child.start({
      name: 'policy-controller',
      file: builtPath(webhook),
      args: ['-disable-tuf=true'],
      env: { ...(await environment(stack, namespace, folder)), ...env },
      logFile: join(stack.env['STACK_LOGS'] ?? folder, `${namespace}.log`),
    });
    const process = new PolicyControllerProcess(api, namespace, folder, child);
    try {
      await process.#waitUntilServing();
      return process;
    } catch (cause) {
      const { message } = await child.failure('does not serve');
      await process[Symbol.asyncDispose]();
      throw new Error(message, { cause });
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Where Pods and what makes them are judged. */
  get url(): string {
    return `https://127.0.0.1:${port}/validations`;
  }

  /** The name in its certificate. */
  get serverName(): string {
    return `webhook.${this.#namespace}.svc`;
  }

  /** PEM of what its certificate is checked by. */
  get authority(): string {
    return this.#authority;
  }

  /** Waits until it judges by these objects. */
  async waitForPolicy(policy: string, trustRoot: string): Promise<void> {
    for (const [map, key] of [
      ['config-sigstore-keys', trustRoot],
      ['config-image-policies', policy],
    ] as const) {
      const path = `/api/v1/namespaces/${this.#namespace}/configmaps/${map}`;
      await waitFor(
        async () => {
          const { data = {} } = await this.#api.get<KubeObject & { data?: Record<string, string> }>(path);
          return key in data ? true : undefined;
        },
        { what: `policy-controller taking in ${key}`, timeoutMs: 180_000 },
      );
    }
  }

  usage(): Promise<ProcessUsage> {
    return readUsage(this.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // It would serve on for 45 seconds after a SIGTERM.
    await this.#child.kill();
    await removeFinalizers(this.#api);
    await kubectl(['delete', 'clusterrolebinding', this.#namespace, '--ignore-not-found']);
    await deleteNamespace(this.#api, this.#namespace);
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #waitUntilServing(): Promise<void> {
    const path = `/api/v1/namespaces/${this.#namespace}/secrets/webhook-certs`;
    await waitFor(
      async () => {
        if (!this.#child.isRunning) throw new Error('it ended');
        const { data } = await this.#api.get<KubeObject & { data?: Record<string, string> }>(path);
        // Its authority has the same name, so OpenSSL takes the certificate for its own issuer: it is trusted as it is.
        const authority = data?.['server-cert.pem'];
        if (authority === undefined) return undefined;
        this.#authority = Buffer.from(authority, 'base64').toString('utf8');
        return this.#findReady();
      },
      { what: 'policy-controller serving', timeoutMs: 180_000 },
    );
  }

  async #findReady(): Promise<true | undefined> {
    const agent = new Agent({ connect: { ca: this.#authority, servername: this.serverName } });
    try {
      const { statusCode, body } = await request(`https://127.0.0.1:${port}/`, {
        dispatcher: agent,
        headers: { 'k-kubelet-probe': 'webhook', 'content-type': 'application/json' },
      });
      await body.dump();
      return statusCode === 200 ? true : undefined;
    } finally {
      await agent.destroy();
    }
  }
}

/** Takes the peer's finalizers off, without which nobody could delete these objects once it is gone. */
async function removeFinalizers(api: KubeApi): Promise<void> {
  for (const path of finalized) {
    for (const { metadata } of await api.list(path)) {
      const { name, finalizers = [] } = metadata;
      const kept = finalizers.filter((one) => !finalizer.test(one));
      if (kept.length === finalizers.length) continue;
      await api.mergePatch(`${path}/${name}`, { metadata: { finalizers: kept } }).catch(() => undefined);
    }
  }
}

async function applyConfiguration(namespace: string): Promise<void> {
  const items = [
    ...(await readConfigMaps(builtPath(config), namespace)),
    // It fills the Secret in, but does not make it.
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'webhook-certs', namespace } },
    administratorBinding(namespace),
  ];
  const list = { apiVersion: 'v1', kind: 'List', items };
  await kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify(list));
}

async function environment(stack: Stack, namespace: string, folder: string): Promise<Record<string, string>> {
  const { PATH = '' } = process.env;
  return {
    PATH,
    HOME: folder,
    KUBECONFIG: join(folder, 'kubeconfig'),
    SYSTEM_NAMESPACE: namespace,
    CONFIG_LOGGING_NAME: 'config-logging',
    CONFIG_OBSERVABILITY_NAME: 'config-observability',
    CONFIG_LEADERELECTION_NAME: 'config-leader-election',
    METRICS_DOMAIN: 'sigstore.dev/policy',
    WEBHOOK_NAME: 'webhook',
    KUBERNETES_MIN_VERSION: '1.21.0',
    METRICS_PROMETHEUS_HOST: '127.0.0.1',
    METRICS_PROMETHEUS_PORT: String(await freePort()),
    PROFILING_PORT: String(await freePort()),
    SSL_CERT_FILE: stack.env['SSL_CERT_FILE'] ?? '',
    DOCKER_CONFIG: stack.env['DOCKER_CONFIG'] ?? '',
  };
}
