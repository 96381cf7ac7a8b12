import { AppError } from '../../../src/model/errors.ts';
import type { ApplyOptions, WriteOptions } from '../../../src/kube/kube-client.ts';
import type { KubeObject, KubeObjectDraft } from '../../../src/kube/kube-object.ts';
import { formatObjectRef } from '../../../src/kube/resource-type.ts';
import type { ObjectRef, ResourceType } from '../../../src/kube/resource-type.ts';

/** One call that the fake saw, for counting requests. */
export interface SeenCall {
  readonly verb: string;
  readonly name: string;
  readonly fieldManager?: string;
  readonly body?: unknown;
}

/** Objects in memory behind the methods of KubeClient that the writers of this room use; faults come on order. */
export class FakeObjects {
  readonly calls: SeenCall[] = [];
  readonly objects = new Map<string, KubeObject>();
  readonly #faults: { verb: string; error: unknown }[] = [];
  #version = 0;

  /** The next call of that verb throws an AppError with this code. */
  failNext(verb: string, code: string): void {
    const kind = code === 'ERR_KUBE_FORBIDDEN' ? 'permanent' : 'passing';
    this.#faults.push({ verb, error: new AppError(code, `${verb} is refused`, { kind }) });
  }

  add(type: ResourceType, object: KubeObject): KubeObject {
    return this.#store(type, object);
  }

  find(type: ResourceType, ref: ObjectRef): KubeObject | undefined {
    return this.objects.get(keyOf(type, ref));
  }

  get(type: ResourceType, ref: ObjectRef): Promise<KubeObject> {
    this.#see({ verb: 'get', name: ref.name });
    return Promise.resolve(this.#existing(type, ref));
  }

  create(type: ResourceType, object: KubeObjectDraft, options: WriteOptions): Promise<KubeObject> {
    const draft = object as KubeObject;
    this.#see({
      verb: 'create',
      name: draft.metadata.name,
      fieldManager: options.fieldManager,
      body: object,
    });
    if (this.objects.has(keyOf(type, draft.metadata))) throw conflict();
    return Promise.resolve(this.#store(type, draft));
  }

  replace(type: ResourceType, object: KubeObjectDraft, options: WriteOptions): Promise<KubeObject> {
    const draft = object as KubeObject;
    this.#see({
      verb: 'replace',
      name: draft.metadata.name,
      fieldManager: options.fieldManager,
      body: object,
    });
    const existing = this.#existing(type, draft.metadata);
    checkPreconditions(existing, draft.metadata);
    return Promise.resolve(this.#store(type, draft));
  }

  /** A merge patch of `metadata` and of top-level fields, null removing annotations. */
  mergePatch(
    type: ResourceType,
    ref: ObjectRef,
    patch: Readonly<Record<string, unknown>>,
    options: WriteOptions,
  ): Promise<KubeObject> {
    this.#see({ verb: 'patch', name: ref.name, fieldManager: options.fieldManager, body: patch });
    const existing = this.#existing(type, ref);
    const { metadata = {}, ...fields } = patch as { metadata?: Partial<KubeObject['metadata']> };
    checkPreconditions(existing, metadata);
    const annotations = Object.entries({ ...existing.metadata.annotations, ...metadata.annotations });
    return Promise.resolve(
      this.#store(type, {
        ...existing,
        ...fields,
        metadata: {
          ...existing.metadata,
          ...metadata,
          annotations: Object.fromEntries(annotations.filter(([, value]) => (value as unknown) !== null)),
        },
      }),
    );
  }

  /** A server-side apply whose manager owns all annotations of ours, and the finalizers unless `foreign` does. */
  apply(type: ResourceType, object: KubeObjectDraft, options: ApplyOptions): Promise<KubeObject> {
    const draft = object as KubeObject;
    this.#see({ verb: 'apply', name: draft.metadata.name, fieldManager: options.fieldManager, body: object });
    const existing = this.find(type, draft.metadata);
    if (existing === undefined) throw conflict();
    checkPreconditions(existing, draft.metadata);
    const foreign = (existing.metadata['foreignFinalizers'] ?? []) as string[];
    const isFinalizers = options.fieldManager.endsWith('/finalizers');
    const others = Object.entries(existing.metadata.annotations ?? {}).filter(
      ([key]) => !key.includes('chain'),
    );
    const changes = isFinalizers
      ? { finalizers: [...new Set([...foreign, ...(draft.metadata.finalizers ?? [])])] }
      : { annotations: { ...Object.fromEntries(others), ...draft.metadata.annotations } };
    return Promise.resolve(
      this.#store(type, { ...existing, metadata: { ...existing.metadata, ...changes } }),
    );
  }

  #see(call: SeenCall): void {
    this.calls.push(call);
    const found = this.#faults.findIndex((fault) => fault.verb === call.verb);
    if (found !== -1) throw this.#faults.splice(found, 1)[0]?.error as Error;
  }

  #existing(type: ResourceType, ref: ObjectRef): KubeObject {
    const found = this.find(type, ref);
    if (found !== undefined) return found;
    throw new AppError('ERR_KUBE_NOT_FOUND', `${ref.name} is not there`, { kind: 'permanent' });
  }

  #store(type: ResourceType, object: KubeObject): KubeObject {
    this.#version += 1;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
    this.objects.set(keyOf(type, object.metadata), stored);
    return stored;
  }
}

function keyOf(type: ResourceType, ref: ObjectRef): string {
  return `${type.plural} ${formatObjectRef(ref)}`;
}

function checkPreconditions(existing: KubeObject, given: Partial<KubeObject['metadata']>): void {
  const isOther = given.uid !== undefined && given.uid !== existing.metadata.uid;
  const isOld =
    given.resourceVersion !== undefined && given.resourceVersion !== existing.metadata.resourceVersion;
  if (isOther || isOld) throw conflict();
}

function conflict(): AppError {
  return new AppError('ERR_KUBE_CONFLICT', 'another version', { kind: 'passing' });
}
