import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { environment } from '../../../hack/image/contents.ts';
import type { Stack } from '../../../hack/stack/stack.ts';
import type { ChainwrightLaunch } from '../chainwright-process.ts';
import { apiServer } from './deployed-pod.ts';
import { containerCommand } from './image-container.ts';
import { accountPath } from './pod-volumes.ts';

/** Where a command is to run as in a Pod. */
export interface ContainerPlace {
  readonly stack: Stack;
  /** The image's file system. */
  readonly root: string;
  /** With the kubeconfig of the account, and all that the command's flags name. */
  readonly folder: string;
}

interface AccountKubeconfig {
  readonly clusters: readonly [{ readonly cluster: { readonly 'certificate-authority-data': string } }];
  readonly users: readonly [{ readonly user: { readonly token: string } }];
}

/**
 * The same command from our image's file system, compiled, with the account's token as the kubelet mounts it in place of a
 * kubeconfig: what it costs is what it costs in a cluster.
 */
export async function inContainer(
  launch: ChainwrightLaunch,
  { stack, root, folder }: ContainerPlace,
): Promise<ChainwrightLaunch> {
  const account = join(folder, 'account');
  const scratch = join(folder, 'container');
  await Promise.all([mkdir(account), mkdir(scratch)]);
  const kubeconfig = JSON.parse(await readFile(join(folder, 'kubeconfig'), 'utf8')) as AccountKubeconfig;
  const authority = kubeconfig.clusters[0].cluster['certificate-authority-data'];
  await writeFile(join(account, 'token'), kubeconfig.users[0].user.token, { mode: 0o600 });
  await writeFile(join(account, 'ca.crt'), Buffer.from(authority, 'base64'));
  const { KUBECONFIG: _, PATH: __, ...env } = launch.env;
  const shared = [folder, stack.ca, stack.trustedRoot, env['DOCKER_CONFIG'] ?? folder];
  const mounts = [...new Set(shared)].map((path) => ({ source: path, target: path, readOnly: true }));
  const program = await containerCommand({
    ...{ root, scratch, uid: 0, gid: 0 },
    mounts: [...mounts, { source: account, target: accountPath, readOnly: true }],
  });
  return { ...launch, program, env: { ...env, ...environment, ...apiServer } };
}
