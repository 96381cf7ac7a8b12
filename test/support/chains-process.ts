import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { builtPath, ensureBuilt } from '../../hack/stack/build/binaries.ts';
import { identityToken, kubectl } from '../../hack/stack/stack.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import { componentNamed } from '../../hack/stack/versions.ts';
import { controllerAccount, writeAccountKubeconfig } from './account-kubeconfig.ts';
import type { Account } from './account-kubeconfig.ts';
import { Child } from './child.ts';
import { freePort } from './free-port.ts';
import type { KubeApi } from './kube-api.ts';
import { administratorBinding, readConfigMaps } from './peer-objects.ts';
import type { ProcessUsage } from './process-usage.ts';
import { readUsage } from './process-usage.ts';
import { createNamespace, deleteNamespace } from './test-namespace.ts';
import { waitFor } from './waiting.ts';

/** How the installed one is started. */
export interface InstalledChainsOptions {
  readonly stack: Stack;
  /** Further flags, such as `--threads-per-controller=32`. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Files of the Secret `signing-secrets`, for which Chains looks at one place alone; that takes root. */
  readonly signingSecrets?: Readonly<Record<string, string>>;
}

/** How the peer is started. */
export interface ChainsOptions extends InstalledChainsOptions {
  readonly api: KubeApi;
}

const controller = componentNamed('tekton-chains');
const config = componentNamed('tekton-chains-config');

/** Version of the peer, without a leading v. */
export const chainsVersion = controller.version.replace(/^v/, '');

/**
 * The real Tekton Chains controller, from its own release. It signs with the runbook's identity through the local Fulcio
 * and Rekor.
 */
export class ChainsProcess implements AsyncDisposable {
  readonly #folder: string;
  readonly #child: Child;
  readonly #closing = new AsyncDisposableStack();

  private constructor(folder: string, child: Child) {
    this.#folder = folder;
    this.#child = child;
  }

  /** Starts it in a system namespace of its own, with its own configuration, and waits until it leads and works. */
  static async start(options: ChainsOptions): Promise<ChainsProcess> {
    await ensureBuilt([controller, config]);
    const { api, stack } = options;
    const namespace = await createNamespace(api, 'chains-peer');
    const folder = await newFolder();
    await applyConfiguration(stack, namespace, folder);
    const chains = await ChainsProcess.#launch(options, { namespace, name: 'default' }, folder);
    chains.#closing.defer(async () => {
      await kubectl(['delete', 'clusterrolebinding', namespace, '--ignore-not-found']);
      await deleteNamespace(api, namespace);
    });
    return chains;
  }

  /** Starts it as it was installed: in `tekton-chains`, with the `chains-config`, the account and the rights that are there. */
  static async startInstalled(options: InstalledChainsOptions): Promise<ChainsProcess> {
    await ensureBuilt([controller]);
    return ChainsProcess.#launch(options, controllerAccount, await newFolder());
  }

  get pid(): number {
    return this.#child.pid;
  }

  usage(): Promise<ProcessUsage> {
    return readUsage(this.pid);
  }

  /** Ends it as Kubernetes would. */
  async stop(): Promise<void> {
    await this.#child.stop();
  }

  /** Kills it in the midst of what it does. */
  async kill(): Promise<void> {
    await this.#child.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#closing.disposeAsync();
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
      { what: 'Tekton Chains working', timeoutMs: 180_000 },
    );
    if (!this.#child.isRunning) throw await this.#child.failure('ended at its start');
  }

  static async #launch(
    options: InstalledChainsOptions,
    account: Account,
    folder: string,
  ): Promise<ChainsProcess> {
    const { stack, flags = [], signingSecrets } = options;
    await writeAccountKubeconfig(stack, account, join(folder, 'kubeconfig'));
    const program = [builtPath(controller), ...flags];
    const [file = '', ...args] =
      signingSecrets === undefined ? program : await withSecrets(folder, signingSecrets, program);
    const child = await Child.start({
      name: 'Tekton Chains',
      ...{ file, args },
      env: await environment(options, account.namespace, folder),
      logFile: join(stack.env['STACK_LOGS'] ?? folder, `${account.namespace}-${basename(folder)}.log`),
    });
    const chains = new ChainsProcess(folder, child);
    await chains.#waitUntilWorking();
    return chains;
  }
}

function newFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'chainwright-peer-'));
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

/** Shows a program the files in `/etc/signing-secrets`, and leaves the machine's `/etc` alone. */
async function withSecrets(
  folder: string,
  secrets: Readonly<Record<string, string>>,
  program: readonly string[],
): Promise<readonly string[]> {
  const [upper, work] = [join(folder, 'etc'), join(folder, 'work')];
  await mkdir(join(upper, 'signing-secrets'), { recursive: true });
  await mkdir(work);
  for (const [name, content] of Object.entries(secrets))
    await writeFile(join(upper, 'signing-secrets', name), content);
  // A file that is mounted there itself would be hidden.
  await copyFile('/etc/hosts', join(upper, 'hosts'));
  const mount = `mount -t overlay overlay -o 'lowerdir=/etc,upperdir=${upper},workdir=${work}' /etc`;
  const script = `PATH=/usr/sbin:/usr/bin:/sbin:/bin; ${mount}; exec "$@"`;
  return [
    '/usr/bin/unshare',
    '--mount',
    '--propagation',
    'private',
    '/bin/sh',
    '-euc',
    script,
    'sh',
    ...program,
  ];
}

async function environment(
  { stack, env }: InstalledChainsOptions,
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
