import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { identityToken, kubectl } from '../../hack/stack/stack.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import type { SettingsInput } from '../../src/settings/settings-schema.ts';
import { controllerAccount, writeAccountKubeconfig } from './account-kubeconfig.ts';
import { ChainwrightProcess, checkout, processEnvironment, settingsFile } from './chainwright-process.ts';
import type { ChainwrightLaunch } from './chainwright-process.ts';
import { freePort } from './free-port.ts';
import { inContainer } from './pods/contained-launch.ts';
import { waitFor } from './waiting.ts';

/** How the controller is started. */
export interface ControllerOptions {
  readonly stack: Stack;
  /** Laid over the settings for the stack, section by section. */
  readonly settings?: SettingsInput;
  /** Laid over the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where the identity token for Fulcio comes from: a mounted file, or the API server. */
  readonly identity?: 'file' | 'request';
  /**
   * Where the settings come from: a file; the ChainwrightConfig of the cluster, which is written there; or what the cluster
   * has, such as the `chains-config` of Tekton Chains.
   */
  readonly source?: 'file' | 'object' | 'cluster';
  /** How long it may take to be ready; 120 s if absent. */
  readonly readyWithinMs?: number;
  /** File system of our image, to run from there as in a Pod; absent: from the sources. */
  readonly root?: string;
}

/** Applies the CRDs' companions that the controller needs: its rights. */
async function applyControllerRights(): Promise<void> {
  await kubectl([
    'apply',
    '--server-side',
    '--force-conflicts',
    '-f',
    join(checkout, 'config/base/rbac.yaml'),
  ]);
}

/**
 * `chainwright controller` as its own process, as ServiceAccount tekton-chains/tekton-chains-controller with no more
 * rights than config/base gives.
 */
export class ControllerProcess extends ChainwrightProcess implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string, launch: ChainwrightLaunch) {
    super(launch);
    this.#folder = folder;
  }

  /** Prepares settings and credentials, starts the process and waits until it is ready. */
  static async start(options: ControllerOptions): Promise<ControllerProcess> {
    const { stack, settings, source = 'file', readyWithinMs, root } = options;
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-e2e-'));
    await applyControllerRights();
    if (source !== 'cluster') await writeSettings(folder, options);
    await writeAccountKubeconfig(stack, controllerAccount, join(folder, 'kubeconfig'));
    const metricsAddress = `127.0.0.1:${await freePort()}`;
    // Beside the servers' logs, and kept when the rest is removed: who wonders about a failed test reads it.
    const { namespaces = [] } = settings?.controller ?? {};
    const name = namespaces.length === 0 ? basename(folder) : namespaces.join('+');
    const launch: ChainwrightLaunch = {
      command: 'controller',
      args: [
        ...(source === 'file' ? ['--config', join(folder, 'config.yaml')] : []),
        ...['--metrics-address', metricsAddress],
      ],
      // Started again it is the same replica, as a container in its Pod.
      env: processEnvironment(stack, folder, { POD_NAME: basename(folder), ...options.env }),
      logFile: join(stack.env['STACK_LOGS'] ?? folder, `controller-${name}.log`),
      metricsAddress,
      ...(readyWithinMs === undefined ? {} : { readyWithinMs }),
    };
    const controller = new ControllerProcess(
      folder,
      root === undefined ? launch : await inContainer(launch, { stack, root, folder }),
    );
    await controller.restart();
    return controller;
  }

  /** Starts it again, and waits until it works runs off. */
  async resume(): Promise<void> {
    await this.restart();
    await this.waitUntilWorking();
  }

  /** It is ready before it holds a share of the runs. */
  async waitUntilWorking(): Promise<void> {
    await waitFor(
      async () => (/^chainwright_shares_held [1-9]/m.test(await this.metrics()) ? true : undefined),
      { what: 'the controller holding a share of the runs', timeoutMs: 90_000 },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopIfStarted();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function writeSettings(
  folder: string,
  { stack, settings = {}, identity = 'file', source = 'file' }: ControllerOptions,
): Promise<void> {
  const identityTokenFile = join(folder, identity === 'file' ? 'oidc-token' : 'absent-token');
  // As a projected volume has it: no newline at its end.
  if (identity === 'file') await writeFile(identityTokenFile, await identityToken(), { mode: 0o600 });
  // A signing configuration names the servers itself.
  const isChosen = settings.signingConfig !== undefined;
  const fulcio = { ...(isChosen ? {} : { url: stack.fulcioUrl }), identityTokenFile, issuer: stack.issuer };
  const spec: SettingsInput = {
    ...settings,
    provenance: { builderId: 'https://tekton.golems.internal/chains/v2', ...settings.provenance },
    signer: { fulcio, ...settings.signer },
    log: { ...(isChosen ? {} : { url: stack.rekorUrl }), ...settings.log },
    trustedRoot: { file: stack.trustedRoot, ...settings.trustedRoot },
    telemetry: { logLevel: 'debug', logFormat: 'json', ...settings.telemetry },
  };
  const file = join(folder, 'config.yaml');
  await writeFile(file, settingsFile(spec));
  if (source === 'object') await kubectl(['apply', '--server-side', '--force-conflicts', '-f', file]);
}
