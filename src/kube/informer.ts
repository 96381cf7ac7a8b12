import type { Clock } from '../model/clock.ts';
import { messageOf } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import type { KubeClient } from './kube-client.ts';
import type { KubeObject } from './kube-object.ts';
import { freezeDeep } from './object-trim.ts';
import { ObjectStore, keyOf } from './object-store.ts';
import type { StoreChange } from './object-store.ts';
import { Reflector } from './reflector.ts';
import { qualifiedNameOf } from './resource-type.ts';
import type { ResourceType } from './resource-type.ts';

/** What to watch, and with what. */
export interface InformerOptions<T extends KubeObject> {
  /** With a roll of informers this one is on it while it runs. */
  readonly client: Pick<KubeClient, 'listPages' | 'watch'> & Partial<Pick<KubeClient, 'informers'>>;
  readonly type: ResourceType;
  /** Namespaces to watch, one list and watch each; empty: all, by one. */
  readonly namespaces: readonly string[];
  readonly labelSelector?: string;
  /** E.g. `metadata.name=NAME`, which is what RBAC's `resourceNames` ask of a list and a watch. */
  readonly fieldSelector?: string;
  /** What is kept of an object, {@link trimMetadata} and more; the rest is free to be collected at once. */
  readonly transform: (object: KubeObject) => T;
  /** Told of each change, in order; what it throws or rejects with is counted and logged. */
  readonly onChange: (change: StoreChange<T>) => unknown;
  readonly clock: Clock;
  readonly log: Log;
  /** Numbers in [0, 1); `Math.random` if absent. */
  readonly random?: () => number;
  /** Silence after which a watch is given up, in milliseconds; 150 s if absent. */
  readonly watchIdleMs?: number;
}

/** How an informer fares, for metrics and health. */
export interface InformerHealth {
  /** True once every scope was listed in full. */
  readonly isSynced: boolean;
  readonly objects: number;
  /** Milliseconds since the scope that was silent longest was last heard of; undefined before its first answer. */
  readonly stalenessMs: number | undefined;
  /** Interrupted lists and watches so far. */
  readonly interruptions: number;
  /** Changes that the handler, or objects that the transform, threw at. */
  readonly handlerFaults: number;
  /** Message of the last interruption that no answer followed yet. */
  readonly fault: string | undefined;
}

interface Scope<T extends KubeObject> {
  readonly namespace: string | undefined;
  readonly store: ObjectStore<T>;
  isListed: boolean;
  heardAtMs: number | undefined;
  fault: string | undefined;
}

/**
 * A mirror of the objects of one kind that misses nothing and never stops before it is told to: expired watches,
 * restarts of the API server and broken connections are mended behind it. Its objects are frozen.
 */
export class Informer<T extends KubeObject> {
  readonly #options: InformerOptions<T>;
  readonly #scopes: readonly Scope<T>[];
  readonly #synced = Promise.withResolvers<undefined>();
  #interruptions = 0;
  #handlerFaults = 0;

  constructor(options: InformerOptions<T>) {
    this.#options = options;
    const namespaces = options.namespaces.length === 0 ? [undefined] : [...new Set(options.namespaces)];
    this.#scopes = namespaces.map((namespace) => ({
      namespace,
      store: new ObjectStore<T>((change) => {
        this.#tell(change);
      }),
      isListed: false,
      heardAtMs: undefined,
      fault: undefined,
    }));
  }

  /** Resolves once every scope was listed in full; never rejects. */
  get synced(): Promise<undefined> {
    return this.#synced.promise;
  }

  /** Mirrors until `signal` aborts, then resolves. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { client, clock, type } = this.#options;
    const beganMs = clock.now().getTime();
    using _ = client.informers?.enter({
      resource: type.plural,
      heardAtMs: () => Math.min(...this.#scopes.map(({ heardAtMs = beganMs }) => heardAtMs)),
    });
    await Promise.all(this.#scopes.map((scope) => this.#reflectorOf(scope).run({ signal })));
  }

  /** The object of that key (`namespace/name`) as last seen. */
  find(key: string): T | undefined {
    for (const scope of this.#scopes) {
      const found = scope.store.find(key);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** All objects as last seen. */
  *values(): Generator<T, void, undefined> {
    for (const scope of this.#scopes) yield* scope.store.values();
  }

  health(): InformerHealth {
    const nowMs = this.#options.clock.now().getTime();
    const heard = this.#scopes.map((scope) => scope.heardAtMs);
    return {
      isSynced: this.#scopes.every((scope) => scope.isListed),
      objects: this.#scopes.reduce((sum, scope) => sum + scope.store.size, 0),
      stalenessMs: heard.includes(undefined)
        ? undefined
        : nowMs - Math.min(...heard.filter((ms) => ms !== undefined)),
      interruptions: this.#interruptions,
      handlerFaults: this.#handlerFaults,
      fault: this.#scopes.find((scope) => scope.fault !== undefined)?.fault,
    };
  }

  #reflectorOf(scope: Scope<T>): Reflector {
    const { client, type, labelSelector, fieldSelector, clock, log, random, watchIdleMs } = this.#options;
    return new Reflector({
      client,
      type,
      namespace: scope.namespace,
      labelSelector,
      fieldSelector,
      clock,
      log,
      random: random ?? Math.random,
      watchIdleMs,
      sink: {
        listBegins: () => {
          scope.store.beginList();
        },
        listed: (object) => {
          this.#put(scope.store, object);
        },
        listEnded: () => {
          scope.store.endList();
          scope.isListed = true;
          client.informers?.countList(type.plural);
          if (this.#scopes.every((other) => other.isListed)) this.#synced.resolve(undefined);
        },
        changed: (kind, object) => {
          if (kind === 'DELETED') scope.store.remove(keyOf(object), this.#transform(object));
          else this.#put(scope.store, object);
        },
        heard: () => {
          scope.heardAtMs = clock.now().getTime();
          scope.fault = undefined;
        },
        failed: (error) => {
          this.#interruptions += 1;
          scope.fault = messageOf(error);
        },
      },
    });
  }

  #put(store: ObjectStore<T>, object: KubeObject): void {
    const kept = this.#transform(object);
    if (kept !== undefined) store.put(kept);
  }

  #transform(object: KubeObject): T | undefined {
    try {
      return freezeDeep(this.#options.transform(object));
    } catch (error) {
      this.#countFault(error);
      return undefined;
    }
  }

  #tell(change: StoreChange<T>): void {
    try {
      const outcome = this.#options.onChange(change);
      if (outcome instanceof Promise) {
        outcome.catch((error: unknown) => {
          this.#countFault(error);
        });
      }
    } catch (error) {
      this.#countFault(error);
    }
  }

  #countFault(error: unknown): void {
    this.#handlerFaults += 1;
    this.#options.log.error('the handler of a watched change failed', {
      resource: qualifiedNameOf(this.#options.type),
      error: messageOf(error),
    });
  }
}
