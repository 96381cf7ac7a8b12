import { isRecord } from '../../kube/kube-object.ts';
import type { KubeObject, KubeObjectDraft } from '../../kube/kube-object.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { ObjectRef, ResourceType } from '../../kube/resource-type.ts';
import { AppError } from '../../model/errors.ts';
import type { CataloguedRun, RunCatalogue } from './run-catalogue.ts';
import type { RunStatusFolder } from './run-status-file.ts';

type RunClient = Pick<KubeClient, 'get' | 'apply' | 'mergePatch'>;

/**
 * TaskRuns of files in place of the API server, for the reconciler that controllers use: runs are read from a
 * catalogue, annotations that are written go to the run's status file and are read back from there, finalizers are
 * ignored. The files themselves are never written.
 */
export class FileRunClient implements RunClient {
  readonly #catalogue: RunCatalogue;
  readonly #statuses: RunStatusFolder;

  constructor(catalogue: RunCatalogue, statuses: RunStatusFolder) {
    this.#catalogue = catalogue;
    this.#statuses = statuses;
  }

  /** Throws ERR_KUBE_NOT_FOUND where no file holds the run, ERR_LOCAL_STATE. */
  async get(_type: ResourceType, ref: ObjectRef): Promise<KubeObject> {
    const run = this.#find(ref);
    return withAnnotations(run, (await this.#statuses.find(run.metadata))?.annotations ?? {});
  }

  /** Takes the annotations of `object`. Throws as {@link FileRunClient.mergePatch}. */
  async apply(type: ResourceType, object: KubeObjectDraft): Promise<KubeObject> {
    const { namespace, name } = object.metadata;
    return this.mergePatch(type, { namespace: String(namespace), name: String(name) }, object);
  }

  /** Takes the annotations of `patch`, null taking one away. Throws ERR_KUBE_CONFLICT if the run is another by now. */
  async mergePatch(
    _type: ResourceType,
    ref: ObjectRef,
    patch: Readonly<Record<string, unknown>>,
  ): Promise<KubeObject> {
    const run = this.#find(ref);
    const metadata = isRecord(patch['metadata']) ? patch['metadata'] : {};
    if (metadata['uid'] !== run.metadata.uid) throw conflict(ref);
    const before = (await this.#statuses.find(run.metadata))?.annotations ?? {};
    const { annotations } = metadata;
    if (!isRecord(annotations)) return withAnnotations(run, before);
    const merged = { ...before, ...annotations } as Record<string, string | null>;
    const own = run.metadata.annotations ?? {};
    const kept = Object.entries(merged).filter(([key, value]) => value !== null || Object.hasOwn(own, key));
    const after = Object.fromEntries(kept);
    await this.#statuses.write(run.metadata, { uid: run.metadata.uid, annotations: after });
    return withAnnotations(run, after);
  }

  #find(ref: ObjectRef): CataloguedRun {
    const key = `${ref.namespace ?? ''}/${ref.name}`;
    const run = this.#catalogue.find(key);
    if (run !== undefined) return run;
    const message = `no file holds the TaskRun ${key}`;
    throw new AppError('ERR_KUBE_NOT_FOUND', message, { kind: 'permanent', object: key });
  }
}

function withAnnotations(run: CataloguedRun, changes: Readonly<Record<string, string | null>>): KubeObject {
  const merged = Object.entries({ ...run.metadata.annotations, ...changes });
  const annotations = Object.fromEntries(
    merged.filter((entry): entry is [string, string] => entry[1] !== null),
  );
  return { ...run, metadata: { ...run.metadata, annotations } };
}

function conflict(ref: ObjectRef): AppError {
  const object = `${ref.namespace ?? ''}/${ref.name}`;
  return new AppError('ERR_KUBE_CONFLICT', `the TaskRun ${object} is another one by now`, {
    kind: 'passing',
    object,
  });
}
