import { connect } from 'node:net';
import { join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { Child } from '../child.ts';
import { waitFor } from '../waiting.ts';
import { sandboxCommand } from './container-sandbox.ts';
import type { Sandbox } from './container-sandbox.ts';
import type { PodContainer, PodPlan, PodProbe } from './pod-objects.ts';
import { accountPath, makeVolumes, readData } from './pod-volumes.ts';

/** What an image is on this machine. */
export interface ImageStandIn {
  /** What it runs if the manifest names no command. */
  readonly entrypoint?: string;
  /** Programs that it has besides a Debian's: names, and where they are here. */
  readonly programs?: Readonly<Record<string, string>>;
  /** The name of its user in /etc/passwd. */
  readonly userName?: string;
  /** The signal that ends it; SIGTERM if absent. */
  readonly stopSignal?: NodeJS.Signals;
}

/** What running Pods takes; everything that is not in the manifests is said here. */
export interface PodOptions {
  readonly namespace: string;
  readonly folder: string;
  readonly ca: string;
  /** By the repository of the image. */
  readonly images: Readonly<Record<string, ImageStandIn>>;
  readonly hosts: Readonly<Record<string, string>>;
}

const startTimeoutMs = 90_000;
const restartMs = 500;
// Rekor and Trillian wait for connections that nobody uses; what they hold is in the database.
const graceMs = 2000;

/**
 * Runs Pods as processes of this machine, as a kubelet would: volumes from the API server, init containers one after the
 * other, containers started anew when they end, ready by their own probes.
 */
export class PodRunner implements AsyncDisposable {
  readonly #options: PodOptions;
  readonly #children = new Map<Child, NodeJS.Signals>();
  readonly #running: Promise<void>[] = [];
  readonly #done = new Map<string, Promise<void>>();
  #isStopping = false;

  private constructor(options: PodOptions) {
    this.#options = options;
  }

  /** Starts all Pods at once, in no order, as a cluster does; resolves when all are ready and all Jobs are through. */
  static async start(pods: readonly PodPlan[], options: PodOptions): Promise<PodRunner> {
    const runner = new PodRunner(options);
    try {
      for (const pod of pods) {
        const started = runner.#runPod(pod);
        started.catch(() => undefined);
        runner.#done.set(pod.name, started);
      }
      await Promise.all(pods.map((pod) => runner.#waitFor(pod)));
      return runner;
    } catch (error) {
      await runner[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    await Promise.all([...this.#children].map(([child, signal]) => child.stop(graceMs, signal)));
    await Promise.allSettled([...this.#done.values(), ...this.#running]);
  }

  async #runPod(pod: PodPlan): Promise<void> {
    const folder = join(this.#options.folder, pod.name);
    await mkdir(folder, { recursive: true });
    const volumes = await makeVolumes(pod, { ...this.#options, folder });
    for (const container of pod.spec.initContainers ?? []) await this.#runToEnd(pod, container, volumes);
    if (pod.endsByItself) {
      for (const container of pod.spec.containers) await this.#runToEnd(pod, container, volumes);
      return;
    }
    for (const container of pod.spec.containers)
      this.#running.push(this.#keepRunning(pod, container, volumes));
  }

  async #waitFor(pod: PodPlan): Promise<void> {
    await this.#done.get(pod.name);
    for (const container of pod.endsByItself ? [] : pod.spec.containers) {
      await waitFor(async () => ((await this.#isReady(pod, container)) ? true : undefined), {
        what: `${pod.name}/${container.name} being ready`,
        timeoutMs: startTimeoutMs,
      });
    }
  }

  /** By the container's own readiness probe; one without is ready. */
  async #isReady(pod: PodPlan, container: PodContainer): Promise<boolean> {
    const { readinessProbe: probe, ports = [], name } = container;
    if (probe === undefined) return true;
    const portOf = (wanted: string): number => ports.find((port) => port.name === wanted)?.containerPort ?? 0;
    if (probe.exec !== undefined) {
      const asked = {
        ...container,
        name: `${name}-probe`,
        command: probe.exec.command,
        args: [],
        volumeMounts: [],
      };
      return (await this.#run(pod, asked, new Map())).end === 0;
    }
    if (probe.httpGet === undefined) return answersTcp(portOf(probe.tcpSocket?.port ?? ''));
    return answersHttp(probe.httpGet, portOf(probe.httpGet.port));
  }

  async #keepRunning(
    pod: PodPlan,
    container: PodContainer,
    volumes: ReadonlyMap<string, string>,
  ): Promise<void> {
    while (!this.#isStopping) {
      await this.#run(pod, container, volumes);
      await sleep(restartMs);
    }
  }

  async #runToEnd(
    pod: PodPlan,
    container: PodContainer,
    volumes: ReadonlyMap<string, string>,
  ): Promise<void> {
    const deadline = performance.now() + startTimeoutMs;
    for (;;) {
      const { end, child } = await this.#run(pod, container, volumes);
      if (end === 0) return;
      if (this.#isStopping || performance.now() > deadline) throw await child.failure('did not succeed');
      await sleep(restartMs);
    }
  }

  async #run(
    pod: PodPlan,
    container: PodContainer,
    volumes: ReadonlyMap<string, string>,
  ): Promise<{ readonly end: number | NodeJS.Signals; readonly child: Child }> {
    const child = await Child.start(await sandboxCommand(await this.#sandboxOf(pod, container, volumes)));
    this.#children.set(child, this.#standInOf(container.image).stopSignal ?? 'SIGTERM');
    if (this.#isStopping) await child.stop(graceMs);
    const end = await child.ended;
    this.#children.delete(child);
    return { end, child };
  }

  async #sandboxOf(
    pod: PodPlan,
    container: PodContainer,
    volumes: ReadonlyMap<string, string>,
  ): Promise<Sandbox> {
    const { hosts, folder } = this.#options;
    const { image, command, args = [], volumeMounts = [] } = container;
    const standIn = this.#standInOf(image);
    const entry = command ?? (standIn.entrypoint === undefined ? undefined : [standIn.entrypoint]);
    if (entry === undefined) throw new Error(`${container.name} has no command, and its image no entrypoint`);
    const account = volumes.get(accountPath);
    const { runAsUser, runAsGroup } = pod.spec.securityContext;
    return {
      name: `${pod.name}/${container.name}`,
      folder: join(folder, pod.name, container.name),
      argv: [...entry, ...args],
      env: await this.#environmentOf(container),
      mounts: [
        ...volumeMounts.map(({ name, mountPath, readOnly = false }) => ({
          source: volumes.get(name) ?? '',
          target: mountPath,
          readOnly,
        })),
        ...(account === undefined
          ? []
          : [{ source: account, target: accountPath.replace('/var/run', '/run'), readOnly: true }]),
      ],
      programs: standIn.programs ?? {},
      hosts,
      user: runAsUser,
      group: runAsGroup,
      ...(standIn.userName === undefined ? {} : { userName: standIn.userName }),
    };
  }

  #standInOf(image: string): ImageStandIn {
    const repository = image.replace(/@sha256:.*$/, '').replace(/:[^:/]+$/, '');
    const standIn = this.#options.images[repository];
    if (standIn === undefined) throw new Error(`nothing stands for the image ${image}`);
    return standIn;
  }

  async #environmentOf({ env = [] }: PodContainer): Promise<Readonly<Record<string, string>>> {
    const values: Record<string, string> = {};
    for (const { name, value = '', valueFrom } of env) {
      const { name: secret, key = '' } = valueFrom?.secretKeyRef ?? {};
      values[name] =
        secret === undefined
          ? value
          : ((await readData('secret', secret, this.#options.namespace))[key]?.toString('utf8') ?? '');
    }
    return values;
  }
}

async function answersHttp(
  { scheme = 'HTTP', path }: NonNullable<PodProbe['httpGet']>,
  port: number,
): Promise<boolean> {
  // A kubelet does not check certificates either.
  await using agent = new TrustingAgent();
  const url = `${scheme.toLowerCase()}://127.0.0.1:${port}${path}`;
  const { statusCode, body } = await request(url, { dispatcher: agent });
  await body.dump();
  return statusCode >= 200 && statusCode < 400;
}

class TrustingAgent extends Agent implements AsyncDisposable {
  constructor() {
    super({ connect: { rejectUnauthorized: false } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy();
  }
}

function answersTcp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
