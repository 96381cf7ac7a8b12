import { PolicyControllerProcess } from '../../../test/support/policy-controller-process.ts';
import type { KubeApi } from '../../../test/support/kube-api.ts';
import type { ProcessUsage } from '../../../test/support/process-usage.ts';
import { WebhookProcess } from '../../../test/support/webhook-process.ts';
import type { Stack } from '../../stack/stack.ts';
import type { WebhookAddress } from './webhook-client.ts';

/** A webhook at work, ours or the peer's. */
export interface RunningWebhook extends WebhookAddress, AsyncDisposable {
  usage(): Promise<ProcessUsage>;
}

/** Where a contender works. */
export interface Ground {
  readonly stack: Stack;
  readonly api: KubeApi;
  /** Folder with credentials for the counting front. */
  readonly dockerConfig: string;
  /** Names of the objects to judge by; they are there already. */
  readonly policy: string;
  readonly trustRoot: string;
}

/** One webhook. */
export interface Contender {
  readonly name: string;
  readonly side: 'ours' | 'peer';
  /** Starts it; it judges by the policy when this resolves. */
  readonly start: (ground: Ground) => Promise<RunningWebhook>;
}

/** Everything that is compared. */
export const contenders: readonly Contender[] = [
  {
    name: 'chainwright',
    side: 'ours',
    // It is ready once it knows every policy of the cluster.
    start: ({ stack, api, dockerConfig }) =>
      WebhookProcess.start({ stack, api, env: { DOCKER_CONFIG: dockerConfig } }),
  },
  {
    name: 'policy-controller',
    side: 'peer',
    start: async ({ stack, api, dockerConfig, policy, trustRoot }) => {
      const env = { DOCKER_CONFIG: dockerConfig };
      const peer = await PolicyControllerProcess.start({ stack, api, env });
      await peer.waitForPolicy(policy, trustRoot);
      return peer;
    },
  },
];
