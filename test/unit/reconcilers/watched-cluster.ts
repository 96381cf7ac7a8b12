import type { ApplyOptions, KubeClient, ListPage, WriteOptions } from '../../../src/kube/kube-client.ts';
import type { KubeObject, KubeObjectDraft } from '../../../src/kube/kube-object.ts';
import { formatObjectRef } from '../../../src/kube/resource-type.ts';
import type { ObjectRef, ResourceType } from '../../../src/kube/resource-type.ts';
import type { WatchEvent, WatchOptions } from '../../../src/kube/watch-stream.ts';
import { AppError } from '../../../src/model/errors.ts';

type Client = Pick<KubeClient, 'listPages' | 'watch' | 'get' | 'create' | 'replace' | 'apply' | 'mergePatch'>;

/** An object without what its type tells. */
interface PutObject {
  readonly metadata: KubeObject['metadata'];
  readonly [field: string]: unknown;
}

interface Watcher {
  readonly plural: string;
  readonly name: string | undefined;
  send(event: WatchEvent): void;
}

/** A call that changed something, or that reads one object. */
export interface ClusterCall {
  readonly verb: string;
  readonly object: string;
}

/** An API server in memory that lists, watches, writes with optimistic locking, and fails on order. */
export class WatchedCluster implements Client {
  readonly calls: ClusterCall[] = [];
  /** Kinds (plural) whose list never comes. */
  readonly silent = new Set<string>();
  readonly #objects = new Map<string, KubeObject>();
  readonly #watchers = new Set<Watcher>();
  readonly #faults: { readonly verb: string; readonly error: AppError }[] = [];
  #version = 0;

  /** The next call of that verb throws an AppError with this code. */
  failNext(verb: string, code: string): void {
    const kind = code === 'ERR_KUBE_FORBIDDEN' ? 'permanent' : 'passing';
    this.#faults.push({ verb, error: new AppError(code, `${verb} fails`, { kind }) });
  }

  countOf(verb: string): number {
    return this.calls.filter((call) => call.verb === verb).length;
  }

  /** Puts an object there, or another version of it: a change of `spec` is a new generation. */
  put(type: ResourceType, object: PutObject): KubeObject {
    const key = keyOf(type, object.metadata);
    const known = this.#objects.get(key);
    this.#version += 1;
    const isSame = JSON.stringify(known?.['spec']) === JSON.stringify(object['spec']);
    const generation = Number(known?.metadata['generation'] ?? 0) + (isSame && known !== undefined ? 0 : 1);
    const stored: KubeObject = {
      apiVersion: type.group === '' ? type.version : `${type.group}/${type.version}`,
      kind: type.kind,
      ...(known === undefined ? {} : { status: known['status'] }),
      ...object,
      metadata: {
        uid: known?.metadata.uid ?? `uid-${this.#version}`,
        ...object.metadata,
        // Kinds without a spec have no generation.
        ...(object['spec'] === undefined ? {} : { generation }),
        resourceVersion: String(this.#version),
      },
    };
    this.#objects.set(key, stored);
    this.#tell(type, known === undefined ? 'ADDED' : 'MODIFIED', stored);
    return stored;
  }

  remove(type: ResourceType, ref: ObjectRef): void {
    const object = this.getNow(type, ref);
    this.#objects.delete(keyOf(type, ref));
    this.#tell(type, 'DELETED', object);
  }

  find(type: ResourceType, ref: ObjectRef): KubeObject | undefined {
    return this.#objects.get(keyOf(type, ref));
  }

  async *listPages(
    type: ResourceType,
    options: { readonly fieldSelector?: string | undefined; readonly signal: AbortSignal },
  ): AsyncGenerator<ListPage> {
    if (this.silent.has(type.plural)) await rejectedBy(options.signal);
    const name = nameOf(options.fieldSelector);
    const items = [...this.#objects]
      .filter(([key]) => key.startsWith(`${type.plural} `))
      .map(([, object]) => object)
      .filter(({ metadata }) => name === undefined || metadata.name === name);
    yield { items, resourceVersion: String(this.#version) };
  }

  async *watch(type: ResourceType, { signal, fieldSelector }: WatchOptions): AsyncGenerator<WatchEvent> {
    const waiting: WatchEvent[] = [];
    let wake = Promise.withResolvers<undefined>();
    const watcher: Watcher = {
      plural: type.plural,
      name: nameOf(fieldSelector),
      send: (event) => {
        waiting.push(event);
        wake.resolve(undefined);
      },
    };
    this.#watchers.add(watcher);
    signal.addEventListener('abort', () => {
      wake.reject(signal.reason as Error);
    });
    for (;;) {
      await wake.promise;
      wake = Promise.withResolvers();
      wake.promise.catch(() => undefined);
      yield* waiting.splice(0);
      signal.throwIfAborted();
    }
  }

  get(type: ResourceType, ref: ObjectRef): Promise<KubeObject> {
    return this.#call('get', type, ref, () => this.getNow(type, ref));
  }

  create(type: ResourceType, object: KubeObjectDraft, _options: WriteOptions): Promise<KubeObject> {
    const draft = object as KubeObject;
    return this.#call('create', type, draft.metadata, () => {
      if (this.find(type, draft.metadata) !== undefined) throw conflict();
      return this.put(type, draft);
    });
  }

  replace(type: ResourceType, object: KubeObjectDraft, _options: WriteOptions): Promise<KubeObject> {
    const draft = object as KubeObject;
    return this.#call('replace', type, draft.metadata, () => {
      this.#check(type, draft.metadata);
      return this.put(type, draft);
    });
  }

  /** Fields of the draft replace those of the object; of `webhooks` the entries are merged by name. */
  apply(type: ResourceType, object: KubeObjectDraft, options: ApplyOptions): Promise<KubeObject> {
    const draft = object as KubeObject;
    const verb = options.subresource === undefined ? 'apply' : `apply ${options.subresource}`;
    return this.#call(verb, type, draft.metadata, () => {
      const known = this.#check(type, draft.metadata);
      const { metadata: _metadata, webhooks, ...fields } = draft;
      const merged = webhooks === undefined ? {} : { webhooks: mergeWebhooks(known, webhooks) };
      return this.put(type, { ...known, ...fields, ...merged });
    });
  }

  /** A deleted object goes once nothing holds it. */
  mergePatch(
    type: ResourceType,
    ref: ObjectRef,
    patch: Readonly<Record<string, unknown>>,
  ): Promise<KubeObject> {
    return this.#call('patch', type, ref, () => {
      const given = patch['metadata'] as KubeObject['metadata'];
      const known = this.#check(type, { ...given, name: ref.name });
      const metadata = { ...known.metadata, finalizers: given.finalizers ?? [] };
      const next = this.put(type, { ...known, metadata });
      if (metadata.deletionTimestamp !== undefined && metadata.finalizers.length === 0)
        this.remove(type, ref);
      return next;
    });
  }

  #call(verb: string, type: ResourceType, ref: ObjectRef, work: () => KubeObject): Promise<KubeObject> {
    this.calls.push({ verb, object: keyOf(type, ref) });
    const at = this.#faults.findIndex((fault) => fault.verb === verb);
    const [fault] = at === -1 ? [] : this.#faults.splice(at, 1);
    return Promise.resolve().then(() => {
      if (fault !== undefined) throw fault.error;
      return work();
    });
  }

  /** An object that is there. Throws ERR_KUBE_NOT_FOUND. */
  getNow(type: ResourceType, ref: ObjectRef): KubeObject {
    const found = this.find(type, ref);
    if (found !== undefined) return found;
    throw new AppError('ERR_KUBE_NOT_FOUND', `${ref.name} is not there`, { kind: 'permanent' });
  }

  #check(type: ResourceType, given: KubeObject['metadata']): KubeObject {
    const known = this.getNow(type, given);
    const isOther = given.uid !== undefined && given.uid !== known.metadata.uid;
    const { resourceVersion } = given;
    if (isOther || (resourceVersion !== undefined && resourceVersion !== known.metadata.resourceVersion)) {
      throw conflict();
    }
    return known;
  }

  #tell(type: ResourceType, kind: 'ADDED' | 'MODIFIED' | 'DELETED', object: KubeObject): void {
    for (const watcher of this.#watchers) {
      const { plural, name = object.metadata.name } = watcher;
      if (plural !== type.plural || name !== object.metadata.name) continue;
      watcher.send({ type: kind, object, resourceVersion: String(this.#version) });
    }
  }
}

function rejectedBy(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason as Error);
    });
  });
}

function mergeWebhooks(known: KubeObject, webhooks: unknown): unknown {
  const given = webhooks as { name: string; clientConfig: object }[];
  return (known['webhooks'] as { name: string; clientConfig: object }[]).map((webhook) => {
    const changed = given.find(({ name }) => name === webhook.name);
    return { ...webhook, clientConfig: { ...webhook.clientConfig, ...changed?.clientConfig } };
  });
}

function keyOf(type: ResourceType, ref: ObjectRef): string {
  return `${type.plural} ${formatObjectRef(ref)}`;
}

function nameOf(fieldSelector: string | undefined): string | undefined {
  return fieldSelector?.replace('metadata.name=', '');
}

function conflict(): AppError {
  return new AppError('ERR_KUBE_CONFLICT', 'another version', { kind: 'passing' });
}
