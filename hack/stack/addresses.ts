/** A name of the stack's network and the loopback address that it stands for. */
export interface HostAddress {
  readonly name: string;
  readonly ip: string;
}

const loopback = '127.0.0.1';

/**
 * The names that the stack writes to /etc/hosts. Whoever must answer on port 443, because a user names it
 * without a port, has a loopback address of its own.
 */
export const hosts = {
  kubernetes: { name: 'kubernetes.golems.internal', ip: '127.0.10.1' },
  harbor: { name: 'harbor.golems.internal', ip: '127.0.10.2' },
  oci: { name: 'oci.golems.internal', ip: '127.0.10.3' },
  fulcio: { name: 'fulcio.golems.internal', ip: loopback },
  ctlog: { name: 'ctlog.golems.internal', ip: loopback },
  rekor: { name: 'rekor.golems.internal', ip: loopback },
  rekor2: { name: 'rekor2.golems.internal', ip: loopback },
  tsa: { name: 'tsa.golems.internal', ip: loopback },
} as const satisfies Record<string, HostAddress>;

/** Every port that the stack listens on. TSA and Rekor v1 also take `:2112` for metrics, hard-coded upstream. */
export const ports = {
  https: 443,
  etcd: 2379,
  etcdPeer: 2380,
  postgres: 5433,
  redis: 6380,
  trillianServer: 8090,
  trillianServerHttp: 8091,
  trillianSigner: 8092,
  trillianSignerHttp: 8093,
  ctlog: 6962,
  fulcio: 5555,
  fulcioGrpc: 5554,
  fulcioMetrics: 2113,
  tsa: 3004,
  rekor: 3000,
  rekor2: 3003,
  rekor2Writer: 3006,
  rekor2Grpc: 3005,
  rekor2Metrics: 2114,
  harborRegistry: 5002,
  scheduler: 10259,
  controllerManager: 10257,
  kubelet: 10250,
  kubeletHealth: 10248,
  proxyHealth: 10256,
  proxyMetrics: 10249,
} as const satisfies Record<string, number>;

/** Base addresses that clients use. */
export const urls = {
  /** Also the issuer of the cluster's ServiceAccount tokens. */
  kubernetes: `https://${hosts.kubernetes.name}`,
  harbor: `https://${hosts.harbor.name}`,
  oci: `https://${hosts.oci.name}`,
  fulcio: `http://${hosts.fulcio.name}:${ports.fulcio}`,
  ctlog: `http://${hosts.ctlog.name}:${ports.ctlog}/golems`,
  rekor: `http://${hosts.rekor.name}:${ports.rekor}`,
  // The verifier takes the checkpoint's origin from this host name: an IP address would not verify.
  rekor2: `http://${hosts.rekor2.name}:${ports.rekor2}`,
  tsa: `http://${hosts.tsa.name}:${ports.tsa}`,
} as const satisfies Record<string, string>;

/** Address of a port on the common loopback address. */
export function local(port: number): string {
  return `${loopback}:${port}`;
}

/** The cluster's network: addresses of Services, and with `--node` the node's own and those of its Pods. */
export const clusterNetwork = {
  node: '10.99.0.1',
  pods: '10.88.0.0/24',
  services: '10.0.0.0/24',
  bridge: 'chainwright0',
} as const;

/** Where Pods find what listens on an address of loopback, which is another one in each of their networks. */
export function addressForPods(ip: string): string {
  return ip === loopback ? clusterNetwork.node : `10.99.0.1${ip.slice(ip.lastIndexOf('.') + 1)}`;
}

/** The stack's names as Pods see them, in the shape of a Pod's `hostAliases`. */
export const podHostAliases: readonly { readonly ip: string; readonly hostnames: readonly string[] }[] =
  Object.entries(Object.groupBy(Object.values(hosts), ({ ip }) => addressForPods(ip))).map(
    ([ip, names = []]) => ({ ip, hostnames: names.map(({ name }) => name) }),
  );
