import type { Stack } from '../stack/stack.ts';
import type { SettingsInput } from '../../src/settings/settings-schema.ts';
import { ChainsProcess } from '../../test/support/chains-process.ts';
import { ControllerProcess } from '../../test/support/controller-process.ts';
import type { KubeApi } from '../../test/support/kube-api.ts';
import type { ProcessUsage } from '../../test/support/process-usage.ts';
import { BareProcess } from './bare/process.ts';

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
  /** File system of our image. */
  readonly root: string;
}

/** One controller with one configuration. */
export interface Contender {
  readonly name: string;
  readonly side: 'ours' | 'peer' | 'bare';
  readonly start: (ground: Ground) => Promise<RunningController>;
}

/** The peer's own advice for load: 32 threads, and a client that does not hold back. */
const tunedFlags = ['--threads-per-controller=32', '--kube-api-qps=1000', '--kube-api-burst=1000'];

/**
 * Everything that is compared, in an order that alternates between us and the peer. The peer writes tags only and makes no
 * SBOM: `tags` does what it does, `tags-sbom` one attestation more, `both-sbom` is what we do by default. `calls` makes the
 * calls of `tags-sbom` that cannot be avoided and nothing else: what the servers here let anybody reach.
 */
export const contenders: readonly Contender[] = [
  ours('tags-sbom', { layouts: { tags: true, referrers: false }, sbom: true }),
  peer('default', []),
  {
    name: 'calls',
    side: 'bare',
    start: ({ stack, dockerConfig }) => BareProcess.start(stack, dockerConfig),
  },
  ours('both-sbom', { layouts: { tags: true, referrers: true }, sbom: true }),
  peer('tuned', tunedFlags),
  ours('tags', { layouts: { tags: true, referrers: false }, sbom: false }),
];

interface OurChoice {
  readonly layouts: { readonly tags: boolean; readonly referrers: boolean };
  readonly sbom: boolean;
}

function ours(name: string, { layouts, sbom }: OurChoice): Contender {
  const settings: SettingsInput = {
    storage: { layouts },
    sbom: { enabled: sbom },
    telemetry: { logLevel: 'info', logFormat: 'json' },
  };
  return {
    name,
    side: 'ours',
    start: async ({ stack, dockerConfig, root }) => {
      const env = { DOCKER_CONFIG: dockerConfig };
      const controller = await ControllerProcess.start({ stack, settings, env, root });
      await controller.waitUntilWorking();
      return controller;
    },
  };
}

function peer(name: string, flags: readonly string[]): Contender {
  return {
    name,
    side: 'peer',
    start: ({ stack, api, dockerConfig }) =>
      ChainsProcess.start({ stack, api, flags, env: { DOCKER_CONFIG: dockerConfig } }),
  };
}
