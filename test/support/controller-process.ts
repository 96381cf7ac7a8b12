import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { identityToken, kubectl } from '../../hack/stack/stack.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import type { SettingsInput } from '../../src/settings/settings-schema.ts';
import { controllerAccount, writeAccountKubeconfig } from './account-kubeconfig.ts';
import { ChainwrightProcess, checkout, processEnvironment, settingsFile } from './chainwright-process.ts';
import type { ChainwrightLaunch } from './chainwright-process.ts';
import { freePort } from './free-port.ts';

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
 * rights than config/rbac gives.
 */
export class ControllerProcess extends ChainwrightProcess implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string, launch: ChainwrightLaunch) {
    super(launch);
    this.#folder = folder;
  }

  /** Prepares settings and credentials, starts the process and waits until it is ready. */
  static async start(options: ControllerOptions): Promise<ControllerProcess> {
    const { stack, settings } = options;
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-e2e-'));
    await applyControllerRights();
    await prepare(folder, options);
    const metricsAddress = `127.0.0.1:${await freePort()}`;
    // Beside the servers' logs, and kept when the rest is removed: who wonders about a failed test reads it.
    const name = settings?.controller?.namespaces?.join('+') ?? basename(folder);
    const controller = new ControllerProcess(folder, {
      command: 'controller',
      args: ['--config', join(folder, 'config.yaml'), '--metrics-address', metricsAddress],
      env: processEnvironment(stack, folder, options.env),
      logFile: join(stack.env['STACK_LOGS'] ?? folder, `controller-${name}.log`),
      metricsAddress,
    });
    await controller.restart();
    return controller;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopIfStarted();
    await rm(this.#folder, { recursive: true, force: true });
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
  await writeFile(join(folder, 'config.yaml'), settingsFile(spec));
  await writeAccountKubeconfig(stack, controllerAccount, join(folder, 'kubeconfig'));
}
