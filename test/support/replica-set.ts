import type { ControllerProcess } from './controller-process.ts';
import type { KubeApi, KubeObject } from './kube-api.ts';
import type { Scene } from './scene.ts';
import { waitFor } from './waiting.ts';

interface LeaseObject extends KubeObject {
  readonly spec: { readonly holderIdentity?: string };
}

/** Replicas of the controller, each a process of its own, that share the runs of one namespace. */
export class ReplicaSet {
  readonly #scene: Scene;
  readonly #namespace: string;
  readonly #replicas = new Map<string, ControllerProcess>();

  constructor(scene: Scene, namespace: string) {
    this.#scene = scene;
    this.#namespace = namespace;
  }

  get names(): readonly string[] {
    return [...this.#replicas.keys()];
  }

  /** Starts a replica under a name that no other one has. */
  async start(name: string): Promise<void> {
    const settings = { controller: { retry: { base: '500ms', max: '5s' } } };
    const env = { POD_NAME: `${this.#namespace}-${name}` };
    // The others are busy with hundreds of runs while it starts on the same cores.
    const options = { settings, env, readyWithinMs: 120_000 };
    this.#replicas.set(name, await this.#scene.controller([this.#namespace], options));
  }

  /** Kills a replica, which does not come back. */
  async kill(name: string): Promise<void> {
    await this.#replicas.get(name)?.kill();
    this.#replicas.delete(name);
  }

  /** Ends a replica as a rolling update does. */
  async stop(name: string): Promise<void> {
    const replica = this.#replicas.get(name);
    this.#replicas.delete(name);
    await replica?.stop();
  }

  /** How many shares each replica holds, a killed one included until it is followed; none for shares that are free. */
  async spread(): Promise<ReadonlyMap<string, number>> {
    const leases = await sharesOf(this.#scene.api, this.#namespace);
    const counts = new Map<string, number>();
    for (const { spec } of leases) {
      const holder = spec.holderIdentity?.slice(this.#namespace.length + 1) ?? '';
      if (holder !== '') counts.set(holder, (counts.get(holder) ?? 0) + 1);
    }
    return counts;
  }

  /** Waits until the living replicas hold all shares, none more than two more than another; gives how long that took. */
  async waitUntilSpread(timeoutMs = 60_000): Promise<number> {
    const startedMs = performance.now();
    await waitFor(
      async () => {
        const counts = await this.spread();
        const held = this.names.map((name) => counts.get(name) ?? 0);
        const isEven = Math.max(...held) - Math.min(...held) <= 1;
        return isEven && held.reduce((sum, count) => sum + count, 0) === 8 ? true : undefined;
      },
      { what: 'shares being spread evenly', timeoutMs },
    );
    return performance.now() - startedMs;
  }

  /** Waits until nothing is held by a replica that was killed; gives how long that took. */
  async waitUntilFollowed(name: string, timeoutMs = 60_000): Promise<number> {
    const startedMs = performance.now();
    await waitFor(async () => ((await this.spread()).has(name) ? undefined : true), {
      what: `shares of ${name} being taken over`,
      timeoutMs,
    });
    return performance.now() - startedMs;
  }

  /** Runs signed by each replica, by its metrics. */
  async signed(): Promise<ReadonlyMap<string, number>> {
    const counts = [...this.#replicas].map(async ([name, replica]) => {
      const line = /^chainwright_runs_reconciled_total\{outcome="signed"\} (\d+)/m.exec(
        await replica.metrics(),
      );
      return [name, Number(line?.[1] ?? 0)] as const;
    });
    return new Map(await Promise.all(counts));
  }
}

/** The Leases of the shares whose holders are named for this namespace. */
async function sharesOf(api: KubeApi, namespace: string): Promise<readonly LeaseObject[]> {
  const path = '/apis/coordination.k8s.io/v1/namespaces/tekton-chains/leases';
  const leases = await api.list<LeaseObject>(path);
  return leases.filter(
    ({ metadata, spec }) =>
      !metadata.name.includes('-member-') && spec.holderIdentity?.startsWith(`${namespace}-`) === true,
  );
}
