import { readBounded } from '../model/bounded-body.ts';
import { AppError } from '../model/errors.ts';
import { deadlines, limits } from '../model/limits.ts';
import { parseJson } from './json-stream.ts';
import { withDeadline } from './deadline.ts';
import { kubeBounds } from './kube-bounds.ts';
import { InformerRoll } from './informer-roll.ts';
import { fromKubeFault } from './kube-fault.ts';
import { isRecord, parseKubeObject } from './kube-object.ts';
import type { KubeObject, KubeObjectDraft } from './kube-object.ts';
import { KubeTransport } from './kube-transport.ts';
import type { KubeRequest, KubeTransportOptions } from './kube-transport.ts';
import {
  apiVersionOf,
  collectionPath,
  formatObjectRef,
  objectPath,
  qualifiedNameOf,
} from './resource-type.ts';
import type { ObjectRef, ResourceType } from './resource-type.ts';
import { watchObjects } from './watch-stream.ts';
import type { WatchEvent, WatchOptions } from './watch-stream.ts';

/** Options that every call takes. */
export interface CallOptions {
  readonly signal: AbortSignal;
}

/** Options of calls that answer with an object. */
export interface ViewOptions extends CallOptions {
  /** `metadata` asks for the object's metadata alone (`PartialObjectMetadata`), which spares the rest's bytes. */
  readonly view?: 'full' | 'metadata';
}

/** Options of writes. */
export interface WriteOptions extends ViewOptions {
  /** Who is noted in `managedFields`. */
  readonly fieldManager: string;
}

/** Options of a creation. */
export interface CreateOptions extends WriteOptions {
  /** Everything is done but the storing: defaults, validation, admission. */
  readonly dryRun?: boolean;
}

/** Options of a server-side apply. */
export interface ApplyOptions extends WriteOptions {
  /** Take over fields that other managers own, instead of ERR_KUBE_CONFLICT. */
  readonly force: boolean;
  /** `status`: what is applied is the status alone. */
  readonly subresource?: 'status';
}

/** Which objects to list. */
export interface ListOptions extends ViewOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

/** One page of a list. */
export interface ListPage {
  readonly items: readonly KubeObject[];
  /** Where a watch goes on from after the last page. */
  readonly resourceVersion: string;
}

/**
 * The API server, as small as this project needs it. All calls have a deadline and throw ERR_KUBE_* as docs/errors.md
 * lists them; a refused call is not repeated here, except once after a 401 with renewed credentials.
 */
export class KubeClient implements AsyncDisposable {
  /** The informers that run on this client. */
  readonly informers = new InformerRoll();
  readonly #transport: KubeTransport;

  constructor(options: KubeTransportOptions) {
    this.#transport = new KubeTransport(options);
  }

  /** One object. Throws ERR_KUBE_NOT_FOUND. */
  async get(type: ResourceType, ref: ObjectRef, options: ViewOptions): Promise<KubeObject> {
    return this.#objectOf(type, options, {
      method: 'GET',
      path: objectPath(type, ref),
      call: callOf('get', type, ref),
    });
  }

  /** The pages of a list, each at most 100 objects; ERR_KUBE_GONE where the list grew too old between two pages. */
  async *listPages(type: ResourceType, options: ListOptions): AsyncGenerator<ListPage, void, undefined> {
    let next: string | undefined;
    do {
      const page = await this.#listPage(type, options, next);
      yield page;
      next = page.next;
    } while (next !== undefined);
  }

  /** All objects of a list, at most 10,000. Throws ERR_KUBE_LIST_SIZE. */
  async list(type: ResourceType, options: ListOptions): Promise<ListPage> {
    const items: KubeObject[] = [];
    let resourceVersion = '';
    for await (const page of this.listPages(type, options)) {
      items.push(...page.items);
      resourceVersion = page.resourceVersion;
      if (items.length > kubeBounds.listedObjects) {
        throw new AppError(
          'ERR_KUBE_LIST_SIZE',
          `there are more than ${kubeBounds.listedObjects} ${qualifiedNameOf(type)}`,
          { kind: 'permanent', remedy: 'Narrow the list by namespace or label selector.' },
        );
      }
    }
    return { items, resourceVersion };
  }

  /** Creates an object. Throws ERR_KUBE_CONFLICT if there is one of that name. */
  async create(type: ResourceType, object: KubeObjectDraft, options: CreateOptions): Promise<KubeObject> {
    const ref = refOf(object);
    return this.#objectOf(type, options, {
      method: 'POST',
      path: collectionPath(type, ref.namespace),
      query: {
        fieldManager: options.fieldManager,
        dryRun: options.dryRun === true ? 'All' : undefined,
      },
      body: object,
      call: callOf('create', type, ref),
    });
  }

  /** Replaces an object; with `metadata.resourceVersion` in it only that version, else ERR_KUBE_CONFLICT. */
  async replace(type: ResourceType, object: KubeObjectDraft, options: WriteOptions): Promise<KubeObject> {
    const ref = refOf(object);
    return this.#objectOf(type, options, {
      method: 'PUT',
      path: objectPath(type, ref),
      query: { fieldManager: options.fieldManager },
      body: object,
      call: callOf('update', type, ref),
    });
  }

  /** JSON merge patch (RFC 7386): lists are replaced whole, null removes a field. */
  async mergePatch(
    type: ResourceType,
    ref: ObjectRef,
    patch: Readonly<Record<string, unknown>>,
    options: WriteOptions,
  ): Promise<KubeObject> {
    return this.#objectOf(type, options, {
      method: 'PATCH',
      path: objectPath(type, ref),
      query: { fieldManager: options.fieldManager },
      body: patch,
      contentType: 'application/merge-patch+json',
      call: callOf('patch', type, ref),
    });
  }

  /**
   * Server-side apply. It creates a missing object unless `metadata.uid` is given (then ERR_KUBE_CONFLICT), and drops
   * fields that this manager applied before and leaves out now.
   */
  async apply(type: ResourceType, object: KubeObjectDraft, options: ApplyOptions): Promise<KubeObject> {
    const ref = refOf(object);
    return this.#objectOf(type, options, {
      method: 'PATCH',
      path: objectPath(type, ref, options.subresource),
      query: { fieldManager: options.fieldManager, force: String(options.force) },
      body: object,
      // JSON is YAML
      contentType: 'application/apply-patch+yaml',
      call: callOf('patch', type, ref, options.subresource),
    });
  }

  /** Deletes an object; with `uid` only that one, else ERR_KUBE_CONFLICT. */
  async delete(
    type: ResourceType,
    ref: ObjectRef,
    options: CallOptions & { readonly uid?: string | undefined },
  ): Promise<void> {
    const preconditions = options.uid === undefined ? {} : { preconditions: { uid: options.uid } };
    await this.#json(options.signal, {
      method: 'DELETE',
      path: objectPath(type, ref),
      body: { apiVersion: 'v1', kind: 'DeleteOptions', ...preconditions },
      call: callOf('delete', type, ref),
    });
  }

  /** Creates a subresource, such as a `token` of a ServiceAccount, and gives the answer unchecked. */
  async createSubresource(
    type: ResourceType,
    ref: ObjectRef,
    draft: { readonly subresource: string; readonly body: unknown },
    options: CallOptions,
  ): Promise<unknown> {
    return this.#json(options.signal, {
      method: 'POST',
      path: objectPath(type, ref, draft.subresource),
      body: draft.body,
      call: callOf('create', type, ref, draft.subresource),
    });
  }

  /** Has the server answer a question that is not kept, such as a SubjectAccessReview, and gives the answer unchecked. */
  async review(
    type: ResourceType,
    spec: Readonly<Record<string, unknown>>,
    options: CallOptions,
  ): Promise<unknown> {
    return this.#json(options.signal, {
      method: 'POST',
      path: collectionPath(type),
      body: { apiVersion: apiVersionOf(type), kind: type.kind, spec },
      call: callOf('create', type, { name: '(a review)' }),
    });
  }

  /** Changes after a resource version, until the server ends the watch; throws ERR_KUBE_GONE when it is too old. */
  watch(type: ResourceType, options: WatchOptions): AsyncGenerator<WatchEvent, void, undefined> {
    return watchObjects(this.#transport, type, options);
  }

  /** Ends all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transport[Symbol.asyncDispose]();
  }

  async #listPage(
    type: ResourceType,
    options: ListOptions,
    next: string | undefined,
  ): Promise<ListPage & { readonly next: string | undefined }> {
    const answer = await this.#json(options.signal, {
      method: 'GET',
      path: collectionPath(type, options.namespace),
      query: {
        limit: String(kubeBounds.pageSize),
        continue: next,
        labelSelector: options.labelSelector,
        fieldSelector: options.fieldSelector,
      },
      call: callOf('list', type, { name: options.namespace ?? '(all namespaces)' }),
      ...acceptOf(options, 'PartialObjectMetadataList'),
    });
    return parseListPage(type, answer);
  }

  async #objectOf(type: ResourceType, options: ViewOptions, message: KubeRequest): Promise<KubeObject> {
    const accept = acceptOf(options, 'PartialObjectMetadata');
    const answer = await this.#json(options.signal, { ...message, ...accept });
    return parseKubeObject(answer, { apiVersion: apiVersionOf(type), kind: type.kind });
  }

  async #json(signal: AbortSignal, message: KubeRequest): Promise<unknown> {
    const isList = message.call.verb === 'list';
    const deadlineMs = isList ? kubeBounds.listMs : deadlines.kubernetesMs;
    const maxBytes = isList ? limits.kubernetesListBytes : limits.kubernetesObjectBytes;
    const bytes = await withDeadline(deadlineMs, signal, async (bounded) => {
      try {
        const answer = await this.#transport.send(message, { signal: bounded });
        return await readBounded(answer.body, {
          maxBytes,
          code: 'ERR_KUBE_ANSWER_SIZE',
          object: message.call.object,
        });
      } catch (error) {
        signal.throwIfAborted();
        throw fromKubeFault(error, message.call.object);
      }
    });
    return parseJson(bytes, message.call.resource);
  }
}

function acceptOf({ view }: ViewOptions, metadataKind: string): Pick<KubeRequest, 'accept'> {
  return view === 'metadata' ? { accept: `application/json;as=${metadataKind};g=meta.k8s.io;v=v1` } : {};
}

function parseListPage(
  type: ResourceType,
  answer: unknown,
): ListPage & { readonly next: string | undefined } {
  const metadata = isRecord(answer) ? answer['metadata'] : undefined;
  const items: unknown = isRecord(answer) ? (answer['items'] ?? []) : undefined;
  if (!isRecord(metadata) || !Array.isArray(items) || typeof metadata['resourceVersion'] !== 'string') {
    throw new AppError('ERR_KUBE_ANSWER', `the API server gave a list of ${type.plural} that is none`, {
      kind: 'passing',
      remedy: 'Look whether a proxy stands before the API server; this is tried again.',
    });
  }
  const next = metadata['continue'];
  const defaults = { apiVersion: apiVersionOf(type), kind: type.kind };
  return {
    items: items.map((item) => parseKubeObject(item, defaults)),
    resourceVersion: metadata['resourceVersion'],
    next: typeof next === 'string' && next !== '' ? next : undefined,
  };
}

function callOf(verb: string, type: ResourceType, ref: ObjectRef, subresource?: string): KubeRequest['call'] {
  const name = qualifiedNameOf(type);
  return {
    verb,
    resource: subresource === undefined ? name : `${name}/${subresource}`,
    object: formatObjectRef(ref),
  };
}

function refOf(object: KubeObjectDraft): ObjectRef {
  const { name, namespace } = object.metadata;
  return {
    name: typeof name === 'string' ? name : '',
    ...(typeof namespace === 'string' ? { namespace } : {}),
  };
}
