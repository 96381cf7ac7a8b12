import { gunzipSync, gzipSync } from 'node:zlib';
import type { Clock } from '../model/clock.ts';
import { AppError, isAppError, messageOf } from '../model/errors.ts';
import { fieldManagers } from '../kube/field-managers.ts';
import { findObject } from '../kube/find-object.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { isRecord } from '../kube/kube-object.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { resourceTypes } from '../kube/resource-type.ts';
import type { StoredIntents } from './intent-memory.ts';
import { decodeState, encodeState } from './monitor-state.ts';
import type { MonitorState } from './monitor-state.ts';
import type { StateStore } from './state-file.ts';

/** What a {@link ClusterState} is made of. */
export interface ClusterStateParts {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace'>;
  /** The monitor's own namespace. */
  readonly namespace: string;
  /** The LogMonitor, which owns what is stored: its deletion deletes that too. */
  readonly owner: KubeObject;
  /** Address of the log. */
  readonly log: string;
  readonly clock: Pick<Clock, 'now'>;
  readonly signal: AbortSignal;
}

type Content = Readonly<Record<'data' | 'binaryData', Readonly<Record<string, string>>>>;

const prefix = 'chainwright-monitor';
const stateKey = 'state.json';
const intentsKey = 'records.json.gz';
// An index is written again after a restart if its writing was put off; what counts is that none is left out.
const stateEveryMs = 2000;
// Records themselves are there to be listed; this is for those that are pruned while nobody looks.
const intentsEveryMs = 300_000;
// With 20 bytes each, compressed, well within the 1 MiB of a ConfigMap.
const maxIntents = 30_000;
const maxPromises = 1000;
const maxUnpackedBytes = 8 * 1024 * 1024;

/**
 * A monitor's state in two ConfigMaps: what it must not lose, and beside it the larger memory of what records said, which is
 * written less often. Nothing is written over that another replica wrote. An API server that is away delays writing, not
 * the monitor.
 */
export class ClusterState implements StateStore {
  readonly #parts: ClusterStateParts;
  readonly #state: StoredMap;
  readonly #intents: StoredMap;
  #unsaved: MonitorState | undefined;
  #fault: string | undefined;

  constructor(parts: ClusterStateParts) {
    this.#parts = parts;
    const { name } = parts.owner.metadata;
    this.#state = new StoredMap(parts, `${prefix}.${name}`, stateEveryMs);
    this.#intents = new StoredMap(parts, `${prefix}.${name}.records`, intentsEveryMs);
  }

  /** Why the state is not stored, if so. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Throws ERR_MONITOR_STATE, ERR_KUBE_*. */
  async load(): Promise<MonitorState | undefined> {
    const text = (await this.#state.read())?.data[stateKey];
    const packed = (await this.#intents.read())?.binaryData[intentsKey];
    if (text === undefined) return undefined;
    const state = decodeState(this.#parts.log, text, this.#state.object);
    return packed === undefined ? state : { ...state, intents: this.#unpack(text, packed) };
  }

  /** Stores the state, soon. Throws ERR_MONITOR_STATE_LOST if somebody else wrote it meanwhile. */
  async save(state: MonitorState): Promise<void> {
    this.#unsaved = state;
    await this.#write({ isLast: false });
  }

  /** Stores what was not stored yet. Throws as `save`. */
  async flush(): Promise<void> {
    await this.#write({ isLast: true });
  }

  async #write({ isLast }: { readonly isLast: boolean }): Promise<void> {
    const state = this.#unsaved;
    if (state === undefined) return;
    try {
      await this.#state.write(isLast, () => {
        const bare = encodeState(this.#parts.log, { ...state, intents: { noted: [], promised: [] } });
        return { data: { [stateKey]: bare }, binaryData: {} };
      });
      await this.#intents.write(isLast, () => ({
        data: {},
        binaryData: { [intentsKey]: pack(state.intents) },
      }));
      this.#fault = undefined;
    } catch (error) {
      if (!isAppError(error) || error.code === 'ERR_MONITOR_STATE_LOST') throw error;
      this.#fault = `${error.code}: ${error.message}`;
    }
  }

  #unpack(text: string, packed: string): StoredIntents {
    const object = this.#intents.object;
    try {
      const json = gunzipSync(Buffer.from(packed, 'base64'), { maxOutputLength: maxUnpackedBytes });
      const whole = {
        ...(JSON.parse(text) as object),
        intents: JSON.parse(json.toString('utf8')) as unknown,
      };
      return decodeState(this.#parts.log, JSON.stringify(whole), object).intents;
    } catch (error) {
      if (isAppError(error)) throw error;
      throw new AppError('ERR_MONITOR_STATE', `${object} holds no records: ${messageOf(error)}`, {
        kind: 'permanent',
        object,
        remedy: 'Put it back from a copy, or delete it.',
        cause: error,
      });
    }
  }
}

/** One ConfigMap, written only over what was read or written here. */
class StoredMap {
  readonly #parts: ClusterStateParts;
  readonly #name: string;
  readonly #everyMs: number;
  #version: string | undefined;
  #written = '';
  #writtenAtMs = -Infinity;

  constructor(parts: ClusterStateParts, name: string, everyMs: number) {
    this.#parts = parts;
    this.#name = name;
    this.#everyMs = everyMs;
  }

  get object(): string {
    return `ConfigMap ${this.#parts.namespace}/${this.#name}`;
  }

  async read(): Promise<Content | undefined> {
    const { client, namespace, signal } = this.#parts;
    const ref = { namespace, name: this.#name };
    const found = await findObject(client, resourceTypes.configMaps, ref, { signal });
    if (found === undefined) return undefined;
    this.#version = found.metadata.resourceVersion;
    // That of an earlier object of this name, which is deleted with it sooner or later.
    if (!isOwnedBy(found, this.#parts.owner)) return undefined;
    return { data: textsOf(found['data']), binaryData: textsOf(found['binaryData']) };
  }

  async write(isLast: boolean, make: () => Content): Promise<void> {
    const nowMs = this.#parts.clock.now().getTime();
    if (!isLast && nowMs - this.#writtenAtMs < this.#everyMs) return;
    const content = make();
    const text = JSON.stringify(content);
    if (text === this.#written) return;
    this.#version = await this.#put(content);
    this.#written = text;
    this.#writtenAtMs = nowMs;
  }

  async #put(content: Content): Promise<string | undefined> {
    const { client, namespace, owner, signal } = this.#parts;
    const { apiVersion, kind } = owner;
    const { name, uid } = owner.metadata;
    const draft = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: this.#name,
        namespace,
        labels: { 'app.kubernetes.io/part-of': 'chainwright', 'app.kubernetes.io/component': 'monitor' },
        ownerReferences: [{ apiVersion, kind, name, uid }],
        ...(this.#version === undefined ? {} : { resourceVersion: this.#version }),
      },
      ...content,
    };
    const options = { fieldManager: fieldManagers.own, view: 'metadata', signal } as const;
    const verb = this.#version === undefined ? 'create' : 'replace';
    try {
      const { metadata } = await client[verb](resourceTypes.configMaps, draft, options);
      return metadata.resourceVersion;
    } catch (error) {
      if (!isAppError(error) || (error.code !== 'ERR_KUBE_CONFLICT' && error.code !== 'ERR_KUBE_NOT_FOUND'))
        throw error;
      throw new AppError('ERR_MONITOR_STATE_LOST', `${this.object} was changed by somebody else`, {
        kind: 'passing',
        object: this.object,
        remedy: 'Nothing: the monitor goes on from what is there.',
        cause: error,
      });
    }
  }
}

function pack({ noted, promised }: StoredIntents): string {
  const kept = { noted: noted.slice(-maxIntents), promised: promised.slice(-maxPromises) };
  return gzipSync(JSON.stringify(kept)).toString('base64');
}

function isOwnedBy({ metadata }: KubeObject, { metadata: { uid } }: KubeObject): boolean {
  const owners: unknown = metadata['ownerReferences'];
  return Array.isArray(owners) && owners.some((owner) => isRecord(owner) && owner['uid'] === uid);
}

function textsOf(value: unknown): Readonly<Record<string, string>> {
  const fields = isRecord(value) ? Object.entries(value) : [];
  return Object.fromEntries(
    fields.filter((field): field is [string, string] => typeof field[1] === 'string'),
  );
}
