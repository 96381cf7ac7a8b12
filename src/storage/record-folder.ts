import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { digestOf } from '../model/digest.ts';
import { AppError, isAppError, messageOf } from '../model/errors.ts';
import { limits } from '../model/limits.ts';
import type { RecordStore, SigningRecord } from '../model/signing-record.ts';
import { fromRecordObject, toRecordObject } from '../settings/signing-record-object.ts';

const safeName = /^[\da-z][\da-z.-]{0,252}$/i;
const faultCodes = { read: 'ERR_RECORD_READ', write: 'ERR_RECORD_WRITE' } as const;

/**
 * Signing records in a folder, `NAMESPACE/UID.json`, each the Kubernetes object that a cluster would hold: for use
 * without one. A file is replaced whole or not at all. Meant for one process: `save` refuses a record that changed
 * since it was read, but two processes that save in the same instant may both succeed.
 */
export class RecordFolder implements RecordStore {
  readonly #folder: string;

  /** Nothing is created before the first `save`. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Gives the record if there is one. Throws ERR_RECORD_READ, ERR_SIGNING_RECORD_INVALID, ERR_RECORD_NAME. */
  async find(
    key: { readonly namespace: string; readonly uid: string },
    options: { readonly signal: AbortSignal },
  ): Promise<SigningRecord | undefined> {
    options.signal.throwIfAborted();
    const file = this.#file(key);
    const text = await readBounded(file);
    if (text === undefined) return undefined;
    const record = fromRecordObject(parseJson(text, file), file);
    if (record.namespace !== key.namespace || record.uid !== key.uid) {
      throw new AppError('ERR_SIGNING_RECORD_INVALID', `${file} holds the record of another run`, {
        kind: 'permanent',
        object: file,
        remedy: 'Put the file back where it was, or delete it, then the run is signed anew.',
      });
    }
    return { ...record, version: digestOf(text) };
  }

  /** Throws ERR_RECORD_CONFLICT where the record changed since it was read, ERR_RECORD_WRITE, and what `find` throws. */
  async save(record: SigningRecord, options: { readonly signal: AbortSignal }): Promise<SigningRecord> {
    const { version, ...content } = record;
    const file = this.#file(record);
    const current = await this.find(record, options);
    if (current?.version !== version) {
      throw new AppError('ERR_RECORD_CONFLICT', `${file} changed since it was read`, {
        kind: 'passing',
        object: file,
        remedy: 'Read it again; this is tried again.',
      });
    }
    const text = `${JSON.stringify(toRecordObject(content), undefined, 2)}\n`;
    await replaceFile(file, text);
    return { ...content, version: digestOf(text) };
  }

  #file({ namespace, uid }: { readonly namespace: string; readonly uid: string }): string {
    if (!safeName.test(namespace) || !safeName.test(uid)) {
      throw new AppError('ERR_RECORD_NAME', `"${namespace}/${uid}" cannot name a record`.slice(0, 200), {
        kind: 'permanent',
        remedy: "Give the run a namespace and a UID as Kubernetes' API server would.",
      });
    }
    return path.join(this.#folder, namespace, `${uid}.json`);
  }
}

async function readBounded(file: string): Promise<string | undefined> {
  try {
    await using handle = await open(file, 'r');
    const { size } = await handle.stat();
    if (size > limits.kubernetesObjectBytes) {
      throw fileFault('read', file, `it has ${size} bytes, more than ${limits.kubernetesObjectBytes}`);
    }
    const buffer = Buffer.alloc(size);
    const { bytesRead } = await handle.read(buffer, 0, size, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw fileFault('read', file, messageOf(error), error);
  }
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw fileFault('read', file, messageOf(error), error);
  }
}

async function replaceFile(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomUUID()}.tmp`;
  try {
    await mkdir(path.dirname(file), { recursive: true });
    await writeDraft(draft, text);
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw fileFault('write', file, messageOf(error), error);
  }
}

async function writeDraft(draft: string, text: string): Promise<void> {
  await using handle = await open(draft, 'wx');
  await handle.writeFile(text);
  // Without this a power cut may leave the new name with the old machine's empty blocks.
  await handle.sync();
}

function fileFault(action: 'read' | 'write', file: string, why: string, cause?: unknown): AppError {
  if (isAppError(cause)) return cause;
  return new AppError(
    faultCodes[action],
    `${file} could not be ${action === 'read' ? 'read' : 'written'}: ${why}`,
    {
      kind: 'permanent',
      object: file,
      remedy: 'Check the folder, its permissions and the space on its disk.',
      cause,
    },
  );
}
