import { mkdir, writeFile } from 'node:fs/promises';

import { local, clusterNetwork, ports } from '../addresses.ts';
import { builtPath } from '../build/binaries.ts';
import { credential } from '../certificates.ts';
import { inState } from '../paths.ts';
import { answersHttp } from '../process/health.ts';
import type { Server } from '../servers/server.ts';
import { componentNamed } from '../versions.ts';
import { containerdSocket } from './containerd.ts';

const component = componentNamed('kubelet');
const configurationFile = inState('node', 'kubelet.json');

/** The only node. */
export const nodeName = 'stack-node';

function configuration(): string {
  return JSON.stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: clusterNetwork.node,
    port: ports.kubelet,
    healthzPort: ports.kubeletHealth,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: false },
      x509: { clientCAFile: credential('ca.crt') },
    },
    authorization: { mode: 'AlwaysAllow' },
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    podLogsDir: inState('node', 'pod-logs'),
    volumePluginDir: inState('node', 'volume-plugins'),
    // Machines differ: older control groups, swap, and no right to bind what is not in a Pod.
    cgroupDriver: 'cgroupfs',
    failCgroupV1: false,
    failSwapOn: false,
    enforceNodeAllocatable: [],
    // In shares of the disk, by default: a large disk that is 85 % full would take no Pods.
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '200Mi', 'imagefs.available': '200Mi' },
    evictionPressureTransitionPeriod: '1s',
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    registryPullQPS: 0,
    makeIPTablesUtilChains: false,
  });
}

/** Runs the Pods that are bound to this node. */
export const kubelet: Server = {
  name: 'kubelet',
  version: component.version,
  address: `${clusterNetwork.node}:${ports.kubelet}`,
  needs: ['containerd', 'node-gateway'],
  prepare: async () => {
    await mkdir(inState('node'), { recursive: true });
    await writeFile(configurationFile, configuration());
  },
  command: () =>
    Promise.resolve({
      file: builtPath(component),
      args: [
        `--kubeconfig=${inState('kubeconfig')}`,
        `--config=${configurationFile}`,
        `--root-dir=${inState('node', 'kubelet')}`,
        `--cert-dir=${inState('node', 'kubelet-certs')}`,
        `--hostname-override=${nodeName}`,
        `--node-ip=${clusterNetwork.node}`,
      ],
      configuration: configuration(),
    }),
  isHealthy: () => answersHttp(`http://${local(ports.kubeletHealth)}/healthz`),
};
