import { existsSync } from 'node:fs';

import { addressForPods, clusterNetwork, hosts, ports } from '../addresses.ts';
import { ensureBuilt } from '../build/binaries.ts';
import { kubectl } from '../kubernetes/setup.ts';
import { ensurePackages } from '../packages.ts';
import { inState } from '../paths.ts';
import { answersTcp } from '../process/health.ts';
import { runningProcess } from '../process/identity.ts';
import { stopProcess } from '../process/stop.ts';
import { ensureAll } from '../process/supervise.ts';
import type { Outcome } from '../process/supervise.ts';
import { frontCommand } from '../servers/front.ts';
import type { Server } from '../servers/server.ts';
import { nodeComponents, nodePackages } from '../versions.ts';
import { containerd } from './containerd.ts';
import { apiServerSlice, controllerManager, proxy, scheduler } from './control-plane.ts';
import { ensureImages } from './images.ts';
import { kubelet, nodeName } from './kubelet.ts';
import { addNodeAddresses, removeNodeNetwork } from './network.ts';
import { endContainers, releaseFolders } from './remains.ts';
import { installTekton, leaveTekton, releaseHooks } from './tekton.ts';

const gateway: Server = {
  name: 'node-gateway',
  version: 'ours',
  address: clusterNetwork.node,
  needs: [],
  prepare: addNodeAddresses,
  command: () => frontCommand('node'),
  isHealthy: () => answersTcp(addressForPods(hosts.kubernetes.ip), ports.https),
};

/** What a real node adds to the stack, each after those that it needs. */
export const nodeServers: readonly Server[] = [
  gateway,
  containerd,
  scheduler,
  controllerManager,
  kubelet,
  proxy,
];

/** True while the stack has a node. */
export async function hasNode(): Promise<boolean> {
  return (await runningProcess(kubelet.name)) !== undefined;
}

/** Gives the stack, which must be up, a node of its own and Tekton Pipelines on it. */
export async function bringUpNode(tell: (server: Server, outcome: Outcome) => void): Promise<void> {
  await ensurePackages(nodePackages);
  await ensureBuilt(nodeComponents);
  const [images, isNew] = [await ensureImages(), !(await hasNode())];
  // From before the machine was restarted: they would ask a webhook that does not run yet.
  if (isNew) await releaseHooks();
  await ensureAll(nodeServers, tell);
  await kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify(apiServerSlice));
  await kubectl(['wait', '--for=condition=Ready', '--timeout=180s', `node/${nodeName}`]);
  await installTekton(images);
}

/** Takes the node away with all that it has left on this machine: containers, mounts, networks. */
export async function takeDownNode(): Promise<void> {
  if (!existsSync(inState('node'))) return;
  await leaveTekton().catch((error: unknown) => {
    process.stderr.write(`Tekton's webhooks stay in the cluster: ${String(error)}\n`);
  });
  for (const server of [proxy, kubelet, controllerManager, scheduler]) await stopProcess(server.name);
  await endContainers();
  for (const server of [containerd, gateway]) await stopProcess(server.name);
  await releaseFolders();
  await removeNodeNetwork();
}
