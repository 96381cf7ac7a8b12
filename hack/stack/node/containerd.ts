import { mkdir, writeFile } from 'node:fs/promises';

import { hosts, clusterNetwork } from '../addresses.ts';
import { credential } from '../certificates.ts';
import { debianProgram } from '../packages.ts';
import { inState } from '../paths.ts';
import { run } from '../process/run.ts';
import { fromDebian } from '../servers/server.ts';
import type { Server } from '../servers/server.ts';
import { pauseImage } from './images.ts';

/** Where containerd answers. */
export const containerdSocket: string = inState('node', 'containerd.sock');

const cniFolder = inState('node', 'cni');
const registriesFolder = inState('node', 'registries');

/** Version 2 of its configuration: Debian 12 has containerd 1.6. JSON values are TOML's as well. */
function configuration(): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  const value = (text: string): string => JSON.stringify(text);
  return `version = 2
root = ${value(inState('node', 'containerd'))}
state = ${value(inState('node', 'containerd-state'))}

[grpc]
address = ${value(containerdSocket)}

[${cri}]
sandbox_image = ${value(pauseImage)}
# Where we may not lower it, runc would refuse to start anything.
restrict_oom_score_adj = true
# So that they go with the rest when the stack stops.
netns_mounts_under_state_dir = true

[${cri}.cni]
bin_dir = "/usr/lib/cni"
conf_dir = ${value(cniFolder)}

[${cri}.registry]
config_path = ${value(registriesFolder)}
`;
}

function network(): object {
  return {
    cniVersion: '1.0.0',
    name: 'chainwright-stack',
    plugins: [
      {
        type: 'bridge',
        bridge: clusterNetwork.bridge,
        isDefaultGateway: true,
        ipam: {
          type: 'host-local',
          dataDir: inState('node', 'addresses'),
          ranges: [[{ subnet: clusterNetwork.pods }]],
        },
      },
    ],
  };
}

function registry(host: string): string {
  const server = JSON.stringify(`https://${host}`);
  return `server = ${server}\n\n[host.${server}]\ncapabilities = ["pull", "resolve"]\nca = ${JSON.stringify(credential('ca.crt'))}\n`;
}

async function writeConfiguration(): Promise<void> {
  await mkdir(cniFolder, { recursive: true });
  await writeFile(inState('node', 'containerd.toml'), configuration());
  await writeFile(`${cniFolder}/chainwright-stack.conflist`, JSON.stringify(network()));
  for (const { name } of [hosts.harbor, hosts.oci]) {
    await mkdir(`${registriesFolder}/${name}`, { recursive: true });
    await writeFile(`${registriesFolder}/${name}/hosts.toml`, registry(name));
  }
}

/** A command of containerd's own client. */
export function ctr(...args: readonly string[]): Promise<string> {
  return run('ctr', ['--address', containerdSocket, '--namespace', 'k8s.io', ...args]);
}

/** Pulls images and runs containers, with runc and a bridge for the Pods' network. */
export const containerd: Server = {
  name: 'containerd',
  version: fromDebian,
  address: containerdSocket,
  needs: [],
  prepare: writeConfiguration,
  command: () =>
    Promise.resolve({
      file: debianProgram('containerd'),
      args: ['--config', inState('node', 'containerd.toml')],
      configuration: configuration() + JSON.stringify(network()),
    }),
  isHealthy: () =>
    ctr('version').then(
      () => true,
      () => false,
    ),
};
