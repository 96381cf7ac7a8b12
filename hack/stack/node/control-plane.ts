import { addressForPods, hosts, local, clusterNetwork, ports } from '../addresses.ts';
import { builtPath } from '../build/binaries.ts';
import { credential } from '../certificates.ts';
import { inState } from '../paths.ts';
import { answersHttp } from '../process/health.ts';
import type { Server } from '../servers/server.ts';
import { componentNamed } from '../versions.ts';
import { nodeName } from './kubelet.ts';

interface Part {
  readonly name: string;
  readonly port: number;
  readonly args?: readonly string[];
}

/** One of those that work on the API's objects; its own door is for its health only. */
function part({ name, port, args = [] }: Part): Server {
  const component = componentNamed(name);
  return {
    name,
    version: component.version,
    address: local(port),
    needs: [],
    command: () =>
      Promise.resolve({
        file: builtPath(component),
        args: [
          ...['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'].map(
            (flag) => `--${flag}=${inState('kubeconfig')}`,
          ),
          '--bind-address=127.0.0.1',
          `--secure-port=${port}`,
          `--tls-cert-file=${credential('kubernetes.crt')}`,
          `--tls-private-key-file=${credential('kubernetes.key')}`,
          '--authentication-skip-lookup=true',
          '--leader-elect=false',
          ...args,
        ],
      }),
    isHealthy: () => answersHttp(`https://localhost:${port}/healthz`),
  };
}

/** Finds a node for each Pod. */
export const scheduler: Server = part({ name: 'kube-scheduler', port: ports.scheduler });

/** Makes Pods of Deployments, default accounts of namespaces, and ends what is deleted. */
export const controllerManager: Server = part({
  name: 'kube-controller-manager',
  port: ports.controllerManager,
  args: [
    `--service-account-private-key-file=${credential('sa.key')}`,
    `--root-ca-file=${credential('ca.crt')}`,
    `--cluster-signing-cert-file=${credential('ca.crt')}`,
    `--cluster-signing-key-file=${credential('ca.key')}`,
    '--use-service-account-credentials=false',
    '--allocate-node-cidrs=false',
  ],
});

const proxyComponent = componentNamed('kube-proxy');

/** Leads the addresses of Services to their Pods, by rules of nftables. */
export const proxy: Server = {
  name: 'kube-proxy',
  version: proxyComponent.version,
  address: local(ports.proxyHealth),
  needs: ['kubelet'],
  command: () =>
    Promise.resolve({
      file: builtPath(proxyComponent),
      args: [
        `--kubeconfig=${inState('kubeconfig')}`,
        `--hostname-override=${nodeName}`,
        '--proxy-mode=nftables',
        `--cluster-cidr=${clusterNetwork.pods}`,
        '--nodeport-addresses=127.0.0.1/32',
        `--healthz-bind-address=${local(ports.proxyHealth)}`,
        `--metrics-bind-address=${local(ports.proxyMetrics)}`,
        // The machine's own limits stay as they are.
        '--conntrack-max-per-core=0',
        '--conntrack-tcp-timeout-established=0',
        '--conntrack-tcp-timeout-close-wait=0',
      ],
    }),
  isHealthy: () => answersHttp(`http://${local(ports.proxyHealth)}/healthz`),
};

/** The API server is no Pod and has no endpoint of its own: where Pods find it. */
export const apiServerSlice: object = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    name: 'kubernetes',
    namespace: 'default',
    labels: { 'kubernetes.io/service-name': 'kubernetes' },
  },
  addressType: 'IPv4',
  endpoints: [{ addresses: [addressForPods(hosts.kubernetes.ip)], conditions: { ready: true } }],
  ports: [{ name: 'https', port: ports.https, protocol: 'TCP' }],
};
