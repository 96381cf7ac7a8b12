import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { builtPath, ensureBuilt } from '../../hack/stack/build/binaries.ts';
import { identityToken, kubectl } from '../../hack/stack/stack.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import { componentNamed } from '../../hack/stack/versions.ts';
import { writeAccountKubeconfig } from './account-kubeconfig.ts';
import { Child } from './child.ts';
import { freePort } from './free-port.ts';
import type { KubeApi } from './kube-api.ts';
import { administratorBinding, readConfigMaps } from './peer-objects.ts';
import type { ProcessUsage } from './process-usage.ts';
import { readUsage } from './process-usage.ts';
import { createNamespace, deleteNamespace } from './test-namespace.ts';
import { waitFor } from './waiting.ts';

/** How the peer is started. */
export interface ChainsOptions {
  readonly stack: Stack;
  readonly api: KubeApi;
  /** Further flags, such as `--threads-per-controller=32`. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const controller = componentNamed('tekton-chains');
const config = componentNamed('tekton-chains-config');

/** Version of the peer, without a leading v. */
export const chainsVersion = controller.version.replace(/^v/, '');

/**
 * The real Tekton Chains controller, from its own release and with its own configuration, in a system namespace of its
 * own. It signs with the runbook's identity through the local Fulcio and Rekor.
 */
export class ChainsProcess implements AsyncDisposable {
  readonly #api: KubeApi;
  readonly #namespace: string;
  readonly #folder: string;
  readonly #child: Child;

  private constructor(api: KubeApi, namespace: string, folder: string, child: Child) {
    this.#api = api;
    this.#namespace = namespace;
    this.#folder = folder;
    this.#child = child;
  }

  /** Starts it and waits until it leads and works. */
  static async start(options: ChainsOptions): Promise<ChainsProcess> {
    await ensureBuilt([controller, config]);
    const namespace = await createNamespace(options.api, 'chains-peer');
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-peer-'));
    await applyConfiguration(options.stack, namespace, folder);
    await writeAccountKubeconfig(options.stack, { namespace, name: 'default' }, join(folder, 'kubeconfig'));
    const child = await Child.start({
      name: 'Tekton Chains',
      file: builtPath(controller),
      args: [...(options.flags ?? [])],
      env: await environment(options, namespace, folder),
      logFile: join(options.stack.env['STACK_LOGS'] ?? folder, `${namespace}.log`),
    });
    const chains = new ChainsProcess(options.api, namespace, folder, child);
    await chains.#waitUntilWorking();
    return chains;
  }

  get pid(): number {
    return this.#child.pid;
  }

  usage(): Promise<ProcessUsage> {
    return readUsage(this.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stop();
    await kubectl(['delete', 'clusterrolebinding', this.#namespace, '--ignore-not-found']);
    await deleteNamespace(this.#api, this.#namespace);
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #waitUntilWorking(): Promise<void> {
    await waitFor(
      async () => {
        if (!this.#child.isRunning) return false;
        // One line for each of its two reconcilers.
        const started = (await readFile(this.#child.logFile, 'utf8')).split('"Started workers"').length - 1;
        return started >= 2 ? true : undefined;
      },
      { what: 'Tekton Chains working', timeoutMs: 60_000 },
    );
    if (!this.#child.isRunning) throw await this.#child.failure('ended at its start');
  }
}

async function applyConfiguration(stack: Stack, namespace: string, folder: string): Promise<void> {
  const tokenFile = join(folder, 'oidc-token');
  // It sends the file as it is: a newline at its end would be part of the header.
  await writeFile(tokenFile, await identityToken(), { mode: 0o600 });
  const objects = await readConfigMaps(builtPath(config), namespace, ['chains-config']);
  const settings = {
    'artifacts.taskrun.format': 'slsa/v1',
    'artifacts.taskrun.storage': 'oci',
    'artifacts.taskrun.signer': 'x509',
    'artifacts.oci.storage': 'oci',
    'artifacts.oci.signer': 'x509',
    'builder.id': 'https://tekton.golems.internal/chains/v2',
    'signers.x509.fulcio.enabled': 'true',
    'signers.x509.fulcio.address': stack.fulcioUrl,
    'signers.x509.fulcio.issuer': stack.issuer,
    'signers.x509.fulcio.provider': 'filesystem',
    'signers.x509.identity.token.file': tokenFile,
    'transparency.enabled': 'true',
    'transparency.url': stack.rekorUrl,
  };
  const chainsConfig = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'chains-config', namespace },
    data: settings,
  };
  const list = {
    apiVersion: 'v1',
    kind: 'List',
    items: [...objects, chainsConfig, administratorBinding(namespace)],
  };
  await kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify(list));
}

async function environment(
  { stack, env }: ChainsOptions,
  namespace: string,
  folder: string,
): Promise<Record<string, string>> {
  const { PATH = '' } = process.env;
  return {
    PATH,
    HOME: folder,
    KUBECONFIG: join(folder, 'kubeconfig'),
    SYSTEM_NAMESPACE: namespace,
    CONFIG_OBSERVABILITY_NAME: 'tekton-chains-config-observability',
    CONFIG_LEADERELECTION_NAME: 'tekton-chains-config-leader-election',
    METRICS_DOMAIN: 'tekton.dev/chains',
    KUBERNETES_MIN_VERSION: 'v1.28.0',
    METRICS_PROMETHEUS_HOST: '127.0.0.1',
    METRICS_PROMETHEUS_PORT: String(await freePort()),
    PROFILING_PORT: String(await freePort()),
    PROBES_PORT: String(await freePort()),
    SIGSTORE_ROOT_FILE: stack.env['STACK_FULCIO_ROOT'] ?? '',
    SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: stack.env['STACK_CTLOG_PUBLIC_KEY'] ?? '',
    SIGSTORE_REKOR_PUBLIC_KEY: stack.env['STACK_REKOR_PUBLIC_KEY'] ?? '',
    SSL_CERT_FILE: stack.env['SSL_CERT_FILE'] ?? '',
    DOCKER_CONFIG: stack.env['DOCKER_CONFIG'] ?? '',
    ...env,
  };
}
