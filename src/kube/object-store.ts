import type { KubeObject } from './kube-object.ts';

/** What became known of an object. `isInitial` marks those of the first list: the backlog, not news. */
export type StoreChange<T> =
  | { readonly kind: 'added'; readonly object: T; readonly isInitial: boolean }
  | { readonly kind: 'updated'; readonly object: T; readonly previous: T }
  /** `object` is the last state that was seen. */
  | { readonly kind: 'deleted'; readonly object: T };

/** The key of an object in stores and queues: `namespace/name`, or the name alone. */
export function keyOf(object: KubeObject): string {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/**
 * The objects of one watched scope. It turns lists and events into changes: what a new list leaves out was deleted, and
 * an object whose UID differs from the known one is a deletion and an addition.
 */
export class ObjectStore<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  readonly #notify: (change: StoreChange<T>) => void;
  #unlisted: Set<string> | undefined;
  #wasListed = false;

  constructor(notify: (change: StoreChange<T>) => void) {
    this.#notify = notify;
  }

  get size(): number {
    return this.#objects.size;
  }

  find(key: string): T | undefined {
    return this.#objects.get(key);
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  /** A full list begins: what {@link put} does not name until {@link endList} is gone. */
  beginList(): void {
    this.#unlisted = new Set(this.#objects.keys());
  }

  endList(): void {
    const gone = this.#unlisted ?? [];
    this.#unlisted = undefined;
    this.#wasListed = true;
    for (const key of gone) this.#delete(key);
  }

  /** An object exists in this state. */
  put(object: T): void {
    const key = keyOf(object);
    const previous = this.#objects.get(key);
    this.#unlisted?.delete(key);
    if (previous?.metadata.uid === object.metadata.uid && previous !== undefined) {
      this.#objects.set(key, object);
      if (previous.metadata.resourceVersion === object.metadata.resourceVersion) return;
      this.#notify({ kind: 'updated', object, previous });
      return;
    }
    if (previous !== undefined) this.#delete(key);
    this.#objects.set(key, object);
    this.#notify({ kind: 'added', object, isInitial: !this.#wasListed });
  }

  /** An object was deleted; `last` is its final state, if that is usable. */
  remove(key: string, last?: T): void {
    this.#delete(key, last);
  }

  #delete(key: string, last?: T): void {
    const known = this.#objects.get(key);
    if (known === undefined) return;
    this.#objects.delete(key);
    this.#notify({ kind: 'deleted', object: last ?? known });
  }
}
