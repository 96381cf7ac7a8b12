import { Informer } from '../kube/informer.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { resourceTypes } from '../kube/resource-type.ts';
import type { Clock } from '../model/clock.ts';
import { isAppError } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import { fromRecordObject } from '../settings/signing-record-object.ts';
import type { IntentMemory } from './intent-memory.ts';

/** Where it is found what our controller meant to sign. */
export interface IntentSource {
  /** Has all intents that exist now noted. Throws ERR_KUBE_*. */
  refresh(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Notes intents as they come until `signal` aborts. */
  run(options: { readonly signal: AbortSignal }): Promise<void>;
}

/** What an {@link IntentWatch} needs. */
export interface IntentWatchParts {
  readonly client: Pick<KubeClient, 'listPages' | 'watch'>;
  readonly memory: Pick<IntentMemory, 'note'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** The SigningRecords of a cluster, seen as they are written: one may be pruned soon after. */
export class IntentWatch implements IntentSource {
  readonly #parts: IntentWatchParts;

  constructor(parts: IntentWatchParts) {
    this.#parts = parts;
  }

  async refresh({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const { items } of this.#parts.client.listPages(resourceTypes.signingRecords, { signal })) {
      for (const object of items) this.#note(object);
    }
  }

  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { client, clock, log } = this.#parts;
    const informer = new Informer<KubeObject>({
      client,
      type: resourceTypes.signingRecords,
      namespaces: [],
      clock,
      log,
      // What is meant goes to the memory at once; the informer need hold no more than the names.
      transform: (object) => {
        this.#note(object);
        const { namespace, name, uid, resourceVersion } = object.metadata;
        const metadata = JSON.parse(
          JSON.stringify({ namespace, name, uid, resourceVersion }),
        ) as KubeObject['metadata'];
        return { apiVersion: object.apiVersion, kind: object.kind, metadata };
      },
      onChange: () => undefined,
    });
    await informer.run({ signal });
  }

  /** A record that somebody spoilt explains nothing, and hides no other. */
  #note(object: KubeObject): void {
    const { namespace = '', name } = object.metadata;
    try {
      this.#parts.memory.note(fromRecordObject(object, `${namespace}/${name}`));
    } catch (error) {
      if (!isAppError(error)) throw error;
      this.#parts.log.warn('a signing record cannot be read', { code: error.code, error: error.message });
    }
  }
}

/** For a monitor without cluster: whatever is signed by whom it watches is an alarm. */
export const noIntents: IntentSource = {
  refresh: () => Promise.resolve(),
  run: () => Promise.resolve(),
};
