import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environment } from '../../../hack/image/contents.ts';
import { hosts, ports as stackPorts } from '../../../hack/stack/addresses.ts';
import type { Stack } from '../../../hack/stack/stack.ts';
import { ChainwrightProcess } from '../chainwright-process.ts';
import type { ChainwrightLaunch } from '../chainwright-process.ts';
import { freePort } from '../free-port.ts';
import { containerCommand } from './image-container.ts';
import type { Mount } from './image-container.ts';
import type { PodContainer, PodPlan } from './pod-objects.ts';
import { accountPath, makeVolumes } from './pod-volumes.ts';

/** What a Pod is made from. */
export interface DeployedPodOptions {
  readonly stack: Stack;
  /** The image's file system. */
  readonly root: string;
  /** As it was applied: flags, environment, volumes, account and user are its own. */
  readonly plan: PodPlan;
  /** Ports of this machine by the names of the container's; those that are not named get a free one. */
  readonly ports?: Readonly<Record<string, number>>;
}

/** How a Pod is told of the API server. */
export const apiServer = {
  KUBERNETES_SERVICE_HOST: hosts.kubernetes.ip,
  KUBERNETES_SERVICE_PORT: `${stackPorts.https}`,
};

/**
 * A Pod of one of our Deployments without a kubelet: its container runs from our image's file system, with its ServiceAccount's
 * tokens and the volumes that the Deployment names, and nothing else. Only its ports are others, since Pods here share one
 * network.
 */
export class DeployedPod extends ChainwrightProcess implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string, launch: ChainwrightLaunch) {
    super(launch);
    this.#folder = folder;
  }

  /** Makes the Pod and waits until it is ready. */
  static async start(options: DeployedPodOptions): Promise<DeployedPod> {
    const { stack, plan, root, ports = {} } = options;
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-pod-'));
    const container = containerOf(plan);
    const { runAsUser: uid, runAsGroup: gid } = plan.spec.securityContext;
    const { args, metricsAddress } = await withPorts(container, ports);
    const [command, ...rest] = args;
    const variables = (container.env ?? []).map(({ name, value = '' }) => [name, value] as const);
    const mounts = await mountsOf(options, folder);
    const scratch = join(folder, 'container');
    await mkdir(scratch);
    const pod = new DeployedPod(folder, {
      command: command as ChainwrightLaunch['command'],
      program: await containerCommand({ root, scratch, mounts, uid, gid }),
      args: rest,
      env: { ...environment, ...apiServer, ...Object.fromEntries(variables) },
      logFile: join(stack.env['STACK_LOGS'] ?? folder, `pod-${plan.name}.log`),
      metricsAddress,
    });
    try {
      await pod.restart();
      return pod;
    } catch (error) {
      await pod[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopIfStarted();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function containerOf({ name, spec }: PodPlan): PodContainer {
  const [container, ...others] = spec.containers;
  if (container === undefined || others.length > 0) throw new Error(`${name} has not one container`);
  return container;
}

async function mountsOf({ stack, plan }: DeployedPodOptions, folder: string): Promise<readonly Mount[]> {
  const volumes = await makeVolumes(plan, {
    namespace: plan.namespace ?? 'default',
    folder,
    ca: await readFile(stack.ca, 'utf8'),
  });
  const own = (containerOf(plan).volumeMounts ?? []).map(({ name, mountPath, readOnly = false }) => ({
    source: volumes.get(name) ?? '',
    target: mountPath,
    readOnly,
  }));
  return [...own, { source: volumes.get(accountPath) ?? '', target: accountPath, readOnly: true }];
}

/** The container's arguments with its ports exchanged for free ones of this machine. */
async function withPorts(
  container: PodContainer,
  ports: Readonly<Record<string, number>>,
): Promise<{ readonly args: readonly string[]; readonly metricsAddress: string }> {
  let args = container.args ?? [];
  let metricsAddress = '';
  for (const { name, containerPort } of container.ports ?? []) {
    const address = `127.0.0.1:${ports[name] ?? (await freePort())}`;
    const own = `:${containerPort}`;
    args = args.map((arg) => (arg.endsWith(`=${own}`) ? arg.replace(own, address) : arg));
    if (name === 'metrics') metricsAddress = address;
  }
  return { args, metricsAddress };
}
