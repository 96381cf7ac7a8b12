import type { Stack } from '../stack/stack.ts';
import type { SettingsInput } from '../../src/settings/settings-schema.ts';
import { ChainsProcess } from '../../test/support/chains-process.ts';
import { ControllerProcess } from '../../test/support/controller-process.ts';
import type { KubeApi } from '../../test/support/kube-api.ts';
import type { ProcessUsage } from '../../test/support/process-usage.ts';

/** A controller at work, ours or the peer's. */
export interface RunningController extends AsyncDisposable {
  usage(): Promise<ProcessUsage>;
}

/** Where a contender works. */
export interface Ground {
  readonly stack: Stack;
  readonly api: KubeApi;
  /** Folder with credentials for the counting front. */
  readonly dockerConfig: string;
}

/** One controller with one configuration. */
export interface Contender {
  readonly name: string;
  readonly side: 'ours' | 'peer';
  readonly start: (ground: Ground) => Promise<RunningController>;
}

/** The peer's own advice for load: 32 threads, and a client that does not hold back. */
const tunedFlags = ['--threads-per-controller=32', '--kube-api-qps=1000', '--kube-api-burst=1000'];

/** Everything that is compared, in an order that alternates between us and the peer. */
export const contenders: readonly Contender[] = [
  { name: 'tags', side: 'ours', start: (ground) => startOurs(ground, { tags: true, referrers: false }) },
  { name: 'default', side: 'peer', start: (ground) => startChains(ground, []) },
  { name: 'both', side: 'ours', start: (ground) => startOurs(ground, { tags: true, referrers: true }) },
  { name: 'tuned', side: 'peer', start: (ground) => startChains(ground, tunedFlags) },
];

function startOurs(
  { stack, dockerConfig }: Ground,
  layouts: { readonly tags: boolean; readonly referrers: boolean },
): Promise<RunningController> {
  const settings: SettingsInput = {
    storage: { layouts },
    telemetry: { logLevel: 'info', logFormat: 'json' },
  };
  return ControllerProcess.start({ stack, settings, env: { DOCKER_CONFIG: dockerConfig } });
}

function startChains(
  { stack, api, dockerConfig }: Ground,
  flags: readonly string[],
): Promise<RunningController> {
  return ChainsProcess.start({ stack, api, flags, env: { DOCKER_CONFIG: dockerConfig } });
}
