import { LRUCache } from 'lru-cache';
import { findObject } from '../kube/find-object.ts';
import { Informer } from '../kube/informer.ts';
import type { InformerHealth } from '../kube/informer.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { identityOf } from '../kube/object-trim.ts';
import type { ResourceType } from '../kube/resource-type.ts';
import type { Clock } from '../model/clock.ts';
import type { Log } from '../model/log.ts';

/** What to follow. */
export interface ReferencedObjectsOptions {
  readonly client: Pick<KubeClient, 'listPages' | 'watch' | 'get'>;
  readonly type: ResourceType;
  readonly namespace: string;
  /** Names that count though no policy refers to them. */
  readonly always?: readonly string[];
  /** Told of each change of an object that was asked for. */
  readonly onChange: (name: string) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is kept of an object; `data` of those alone that somebody asked for. */
interface KeptObject extends KubeObject {
  readonly isWhole: boolean;
}

const maxNames = 10_000;

/**
 * Secrets or ConfigMaps of one namespace, of which only those stay in memory that are referred to; of the others their
 * name and version, so that it is known that they are there.
 */
export class ReferencedObjects {
  readonly #options: ReferencedObjectsOptions;
  readonly #wanted = new LRUCache<string, true>({ max: maxNames });
  /** Read one by one, since they were not wanted yet when the informer saw them. */
  readonly #fetched = new LRUCache<string, KubeObject>({ max: maxNames });
  readonly #informer: Informer<KeptObject>;

  constructor(options: ReferencedObjectsOptions) {
    const { client, type, namespace, clock, log } = options;
    this.#options = options;
    this.#informer = new Informer({
      client,
      type,
      namespaces: [namespace],
      clock,
      log,
      transform: (object) => this.#keep(object),
      onChange: ({ object: { metadata } }) => {
        this.#fetched.delete(metadata.name);
        if (this.#isWanted(metadata.name)) options.onChange(metadata.name);
      },
    });
  }

  get synced(): Promise<undefined> {
    return this.#informer.synced;
  }

  run(options: { readonly signal: AbortSignal }): Promise<void> {
    return this.#informer.run(options);
  }

  health(): InformerHealth {
    return this.#informer.health();
  }

  /** One of those that always count, with its data. */
  peek(name: string): KubeObject | undefined {
    return this.#informer.find(`${this.#options.namespace}/${name}`);
  }

  /** The object with its data, undefined if there is none; one request if nobody asked for it before. */
  async find(name: string, { signal }: { readonly signal: AbortSignal }): Promise<KubeObject | undefined> {
    const { client, type, namespace } = this.#options;
    this.#wanted.set(name, true);
    const known = this.#informer.find(`${namespace}/${name}`);
    if (known === undefined || known.isWhole) return known;
    const fetched = this.#fetched.get(name);
    if (fetched !== undefined) return fetched;
    const found = await findObject(client, type, { namespace, name }, { signal });
    if (found === undefined) return undefined;
    // The informer may have seen a newer one meanwhile; then it was wanted already and is whole.
    const now = this.#informer.find(`${namespace}/${name}`);
    if (now === undefined || now.isWhole) return now;
    const object = trim(found, true);
    this.#fetched.set(name, object);
    return object;
  }

  #isWanted(name: string): boolean {
    return this.#wanted.has(name) || (this.#options.always ?? []).includes(name);
  }

  #keep(object: KubeObject): KeptObject {
    return trim(object, this.#isWanted(object.metadata.name));
  }
}

function trim({ apiVersion, kind, metadata, ...rest }: KubeObject, isWhole: boolean): KeptObject {
  return {
    apiVersion,
    kind,
    metadata: identityOf(metadata),
    ...(isWhole ? { data: rest['data'] } : {}),
    isWhole,
  };
}
