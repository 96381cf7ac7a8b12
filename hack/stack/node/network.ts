import { addressForPods, hosts, clusterNetwork } from '../addresses.ts';
import { debianProgram } from '../packages.ts';
import { run } from '../process/run.ts';

const addresses = [
  ...new Set([clusterNetwork.node, ...Object.values(hosts).map(({ ip }) => addressForPods(ip))]),
];

function ip(...args: readonly string[]): Promise<string> {
  return run(debianProgram('iproute2'), args);
}

/** Gives this machine the node's addresses. The bridge of the Pods comes with the first of them. */
export async function addNodeAddresses(): Promise<void> {
  for (const address of addresses) await ip('address', 'replace', `${address}/32`, 'dev', 'lo');
  // Also on a machine without a way out, so that kube-proxy's rules are reached; answers then come to the node.
  await ip('route', 'replace', clusterNetwork.services, 'dev', 'lo', 'src', clusterNetwork.node);
}

/** Takes the node's addresses, its Pods' bridge and the Services' rules away; what is not there is no fault. */
export async function removeNodeNetwork(): Promise<void> {
  const missing = (): undefined => undefined;
  await ip('route', 'del', clusterNetwork.services).catch(missing);
  for (const address of addresses) await ip('address', 'del', `${address}/32`, 'dev', 'lo').catch(missing);
  await ip('link', 'del', clusterNetwork.bridge).catch(missing);
  for (const family of ['ip', 'ip6'])
    await run(debianProgram('nftables'), ['delete', 'table', family, 'kube-proxy']).catch(missing);
}
