import { Informer } from '../kube/informer.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { keyOf } from '../kube/object-store.ts';
import { trimMetadata } from '../kube/object-trim.ts';
import { resourceTypes } from '../kube/resource-type.ts';
import type { Clock } from '../model/clock.ts';
import type { Log } from '../model/log.ts';
import type { MonitorRunner } from './monitor-runner.ts';

interface CallOptions {
  readonly signal: AbortSignal;
}

/** What a {@link MonitorFleet} is made of. */
export interface MonitorFleetParts {
  readonly client: Pick<KubeClient, 'listPages' | 'watch'>;
  /** The runner of one generation of an object; `find` gives the object as it is later. */
  readonly open: (object: KubeObject, find: () => KubeObject | undefined) => Pick<MonitorRunner, 'run'>;
  /** Told that a LogMonitor is gone. */
  readonly onGone: (name: string) => void;
  readonly clock: Clock;
  readonly log: Log;
}

interface Running {
  readonly uid: string | undefined;
  readonly generation: unknown;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

// A watch is heard of at least once in its idle time; three times that long means that the process is stuck.
const stallMs = 600_000;

/** Has every LogMonitor of the cluster followed while this replica is the one that works. */
export class MonitorFleet {
  readonly #parts: MonitorFleetParts;
  readonly #informer: Informer<KubeObject>;
  readonly #running = new Map<string, Running>();
  #leading: AbortSignal | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(parts: MonitorFleetParts) {
    this.#parts = parts;
    const { client, clock, log } = parts;
    this.#informer = new Informer({
      ...{ client, clock, log, type: resourceTypes.logMonitors, namespaces: [] },
      transform: trimMetadata,
      onChange: (change) => {
        if (change.kind === 'deleted') parts.onGone(change.object.metadata.name);
        if (change.kind !== 'updated' || !isSame(change.object, change.previous)) void this.#settle();
      },
    });
  }

  /** True while this replica follows the logs. */
  get isActive(): boolean {
    return this.#leading?.aborted === false;
  }

  /** Knows the objects until `signal` aborts, then ends what runs. */
  async run({ signal }: CallOptions): Promise<void> {
    await this.#informer.run({ signal });
    await this.rest();
  }

  /** Follows them from now on, until `signal` aborts or {@link rest} is called. */
  lead({ signal }: CallOptions): void {
    this.#leading = signal;
    signal.addEventListener('abort', () => void this.#settle(), { once: true });
    void this.#informer.synced.then(() => this.#settle());
  }

  /** Follows them no more; resolves once all is stored. */
  rest(): Promise<void> {
    this.#leading = undefined;
    return this.#settle();
  }

  /** Why nobody should rely on it yet, if there is a reason. */
  findUnready(): string | undefined {
    const { isSynced, fault } = this.#informer.health();
    if (isSynced) return undefined;
    return `LogMonitors are not listed yet${fault === undefined ? '' : `: ${fault}`}`;
  }

  /** Why a restart may help: nothing was heard of the API server for minutes though it is reachable. */
  findStall(): string | undefined {
    const { stalenessMs, fault } = this.#informer.health();
    if (stalenessMs === undefined || stalenessMs < stallMs || fault !== undefined) return undefined;
    return `no word of LogMonitors from the API server for ${Math.round(stalenessMs / 1000)} s`;
  }

  /** One turn after the other: what is to end has ended before its successor begins. */
  #settle(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#takeTurn());
    return this.#turn;
  }

  async #takeTurn(): Promise<void> {
    const wanted = new Map(this.isActive ? [...this.#informer.values()].map((one) => [keyOf(one), one]) : []);
    const ending = [...this.#running].filter(([name, running]) => !isWanted(running, wanted.get(name)));
    for (const [, { stop }] of ending) stop.abort();
    await Promise.all(ending.map(([, { ended }]) => ended));
    for (const [name] of ending) this.#running.delete(name);
    for (const [name, object] of wanted) {
      if (!this.#running.has(name) && this.isActive && object.metadata.deletionTimestamp === undefined) {
        this.#running.set(name, this.#start(name, object));
      }
    }
  }

  #start(name: string, object: KubeObject): Running {
    const stop = new AbortController();
    const { uid } = object.metadata;
    const find = (): KubeObject | undefined => {
      const found = this.#informer.find(name);
      return found?.metadata.uid === uid ? found : undefined;
    };
    const signal = AbortSignal.any([stop.signal, ...(this.#leading === undefined ? [] : [this.#leading])]);
    const ended = this.#parts.open(object, find).run({ signal });
    return { uid, generation: object.metadata['generation'], stop, ended };
  }
}

function isWanted({ uid, generation }: Running, object: KubeObject | undefined): boolean {
  return (
    object !== undefined &&
    object.metadata.uid === uid &&
    object.metadata['generation'] === generation &&
    object.metadata.deletionTimestamp === undefined
  );
}

/** True if only the status changed, which is what we write ourselves. */
function isSame({ metadata: now }: KubeObject, { metadata: before }: KubeObject): boolean {
  return now['generation'] === before['generation'] && now.deletionTimestamp === before.deletionTimestamp;
}
