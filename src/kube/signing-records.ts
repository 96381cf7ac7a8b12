import { AppError } from '../model/errors.ts';
import type { RecordStore, SigningRecord } from '../model/signing-record.ts';
import { fromRecordObject, toRecordObject } from '../settings/signing-record-object.ts';
import { fieldManagers } from './field-managers.ts';
import { findObject } from './find-object.ts';
import type { CallOptions, KubeClient } from './kube-client.ts';
import { formatObjectRef, resourceTypes } from './resource-type.ts';

/**
 * Signing records as objects `SigningRecord` of the API server, named by the run's UID, all of it under `spec`: one
 * request a read, one a write. They have no owner reference, since a record outlives its run.
 */
export class KubeRecordStore implements RecordStore {
  readonly #client: Pick<KubeClient, 'get' | 'create' | 'replace'>;

  constructor(client: Pick<KubeClient, 'get' | 'create' | 'replace'>) {
    this.#client = client;
  }

  /** The record of a run, if there is one. Throws ERR_SIGNING_RECORD_INVALID for one that cannot be read. */
  async find(
    { namespace, uid }: { readonly namespace: string; readonly uid: string },
    options: CallOptions,
  ): Promise<SigningRecord | undefined> {
    const ref = { namespace, name: uid };
    const object = await findObject(this.#client, resourceTypes.signingRecords, ref, options);
    return object && fromRecordObject(object, formatObjectRef(ref));
  }

  /**
   * Creates the record, or replaces the version that it carries. Throws ERR_KUBE_CONFLICT if somebody else wrote in
   * between: read it again.
   */
  async save(record: SigningRecord, { signal }: CallOptions): Promise<SigningRecord> {
    const object = { ...toRecordObject(record) };
    const options = { fieldManager: fieldManagers.own, view: 'metadata', signal } as const;
    const saved = await (record.version === undefined
      ? this.#client.create(resourceTypes.signingRecords, object, options)
      : this.#client.replace(resourceTypes.signingRecords, object, options));
    const { resourceVersion } = saved.metadata;
    if (resourceVersion === undefined) {
      throw new AppError('ERR_KUBE_ANSWER', 'the API server gave a SigningRecord without a version', {
        kind: 'passing',
        object: formatObjectRef({ namespace: record.namespace, name: record.uid }),
      });
    }
    return { ...record, version: resourceVersion };
  }
}
