import { createHash } from 'node:crypto';
import { isRecord } from '../../kube/kube-object.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import { AppError } from '../../model/errors.ts';
import type { FoundObject } from '../wiring/task-run-documents.ts';

/** A TaskRun of a file, completed to what the API server would give: it has a namespace and a UID. */
export interface CataloguedRun extends KubeObject {
  readonly metadata: KubeObject['metadata'] & { readonly namespace: string; readonly uid: string };
}

const objectName = /^[\da-z](?:[\da-z.-]{0,251}[\da-z])?$/;
const uidPattern = /^[\da-z][\da-z-]{0,62}$/i;

/**
 * The TaskRuns of all files by `namespace/name`. Where two files hold the same run, what was read last counts; where they
 * hold different runs of one name, the one that was seen first.
 */
export class RunCatalogue {
  readonly #runs = new Map<string, { readonly file: string; readonly run: CataloguedRun }>();

  find(key: string): CataloguedRun | undefined {
    return this.#runs.get(key)?.run;
  }

  /**
   * Takes what a file holds now, in place of what it held. Gives the keys of its runs, and what is wrong with others:
   * ERR_LOCAL_RUN for one without a usable name, ERR_LOCAL_DUPLICATE for one whose name is taken.
   */
  replace(
    file: string,
    objects: readonly FoundObject[],
  ): { readonly keys: readonly string[]; readonly faults: readonly AppError[] } {
    this.remove(file);
    const keys: string[] = [];
    const faults: AppError[] = [];
    for (const { value } of objects) {
      const run = complete(value);
      if (run === undefined) {
        faults.push(unnamed(file));
        continue;
      }
      const key = `${run.metadata.namespace}/${run.metadata.name}`;
      const other = this.#runs.get(key);
      if (other !== undefined && other.run.metadata.uid !== run.metadata.uid) {
        faults.push(duplicate(key, file, other.file));
        continue;
      }
      this.#runs.set(key, { file, run });
      keys.push(key);
    }
    return { keys, faults };
  }

  /** Forgets the runs of a file that is gone, and gives their keys. */
  remove(file: string): readonly string[] {
    const keys = [...this.#runs].filter(([, entry]) => entry.file === file).map(([key]) => key);
    for (const key of keys) this.#runs.delete(key);
    return keys;
  }
}

function complete(object: Readonly<Record<string, unknown>>): CataloguedRun | undefined {
  const metadata = isRecord(object['metadata']) ? object['metadata'] : {};
  const { name, namespace = 'default', uid = '' } = metadata;
  if (typeof name !== 'string' || !objectName.test(name)) return undefined;
  if (typeof namespace !== 'string' || !objectName.test(namespace)) return undefined;
  const given = typeof uid === 'string' && uidPattern.test(uid) ? uid : undefined;
  return {
    apiVersion: 'tekton.dev/v1',
    kind: 'TaskRun',
    ...object,
    metadata: {
      ...withoutHold(metadata),
      name,
      namespace,
      uid: given ?? deriveUid(object, `${namespace}/${name}`),
    },
  };
}

/** Nobody holds a file's deletion, so neither finalizers nor a deletion under way mean anything here. */
function withoutHold({
  finalizers: _,
  deletionTimestamp: __,
  ...rest
}: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return rest;
}

/** A run written by hand has no UID: one from its name and times, so that the same run has the same one tomorrow. */
function deriveUid(object: Readonly<Record<string, unknown>>, key: string): string {
  const status = isRecord(object['status']) ? object['status'] : {};
  const text = JSON.stringify([key, status['startTime'] ?? null, status['completionTime'] ?? null]);
  const hex = createHash('sha256').update(text).digest('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

function unnamed(file: string): AppError {
  return new AppError('ERR_LOCAL_RUN', `${file} holds a TaskRun without a usable name or namespace`, {
    kind: 'permanent',
    object: file,
    remedy: "Give it metadata.name and metadata.namespace by Kubernetes' rules.",
  });
}

function duplicate(key: string, file: string, first: string): AppError {
  return new AppError('ERR_LOCAL_DUPLICATE', `${file} holds another run ${key} than ${first}`, {
    kind: 'permanent',
    object: key,
    remedy: 'Give the runs different names, or take one of the files away.',
  });
}
