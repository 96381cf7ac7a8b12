import type { Clock } from '../../model/clock.ts';
import { isAppError } from '../../model/errors.ts';
import { withDeadline } from '../deadline.ts';
import { fieldManagers } from '../field-managers.ts';
import type { KubeClient } from '../kube-client.ts';
import { resourceTypes } from '../resource-type.ts';
import { leaseDraft, leaseGroupLabel, microTime, readLease } from './lease-record.ts';
import type { LeaseRecord } from './lease-record.ts';

/** What a {@link LeaseStore} is made of. */
export interface LeaseStoreParts {
  readonly client: Pick<KubeClient, 'list' | 'get' | 'create' | 'replace' | 'delete'>;
  readonly namespace: string;
  readonly group: string;
  /** Who writes. */
  readonly identity: string;
  /** Bound of each request, in milliseconds. */
  readonly requestMs: number;
  readonly clock: Pick<Clock, 'now'>;
}

const leases = resourceTypes.leases;

/** The Leases of one group. Only the version that was seen is ever overwritten. */
export class LeaseStore {
  readonly #parts: LeaseStoreParts;

  constructor(parts: LeaseStoreParts) {
    this.#parts = parts;
  }

  async list(signal: AbortSignal): Promise<readonly LeaseRecord[]> {
    const { client, namespace, group } = this.#parts;
    const { items } = await this.#bounded(signal, (bounded) =>
      client.list(leases, { namespace, labelSelector: `${leaseGroupLabel}=${group}`, signal: bounded }),
    );
    return items.map(readLease);
  }

  /**
   * Makes ourselves the holder, or renews what we hold; `known` is the Lease as it was seen last, if there is one. Gives
   * undefined if somebody else was faster.
   */
  async hold(
    name: string,
    known: LeaseRecord | undefined,
    { durationMs, signal }: { readonly durationMs: number; readonly signal: AbortSignal },
  ): Promise<LeaseRecord | undefined> {
    const { client, namespace, group, identity, clock } = this.#parts;
    const renewTime = microTime(clock.now());
    const isRenewal = known?.holder === identity;
    const claim = {
      ...{ name, holder: identity, durationMs, renewTime },
      acquireTime: isRenewal ? known.acquireTime : renewTime,
      transitions: (known?.transitions ?? 0) + (known === undefined || isRenewal ? 0 : 1),
      version: known?.version,
    };
    const draft = leaseDraft(claim, { namespace, group });
    return unlessRefused(async () => {
      const written = await this.#bounded(signal, (bounded) =>
        client[known === undefined ? 'create' : 'replace'](leases, draft, this.#writing(bounded)),
      );
      return readLease(written);
    });
  }

  /** The Lease as it is now; undefined if it is gone. */
  async read(name: string, signal: AbortSignal): Promise<LeaseRecord | undefined> {
    const { client, namespace } = this.#parts;
    return unlessRefused(async () =>
      readLease(
        await this.#bounded(signal, (bounded) =>
          client.get(leases, { namespace, name }, { signal: bounded }),
        ),
      ),
    );
  }

  /** Lets go of a Lease that we hold, so that anybody may take it at once. */
  async release(known: LeaseRecord, signal: AbortSignal): Promise<LeaseRecord | undefined> {
    const { client, namespace, group, clock } = this.#parts;
    const claim = { ...known, holder: '', durationMs: 1000, renewTime: microTime(clock.now()) };
    const draft = leaseDraft(claim, { namespace, group });
    return unlessRefused(async () => {
      const written = await this.#bounded(signal, (bounded) =>
        client.replace(leases, draft, this.#writing(bounded)),
      );
      return readLease(written);
    });
  }

  /** Deletes the Lease that was seen; one that is gone is no error. */
  async remove({ name, uid }: LeaseRecord, signal: AbortSignal): Promise<void> {
    const { client, namespace } = this.#parts;
    await unlessRefused(() =>
      this.#bounded(signal, (bounded) =>
        client.delete(leases, { namespace, name }, { uid, signal: bounded }),
      ),
    );
  }

  #writing(signal: AbortSignal): { fieldManager: string; signal: AbortSignal } {
    return { fieldManager: fieldManagers.own, signal };
  }

  #bounded<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return withDeadline(this.#parts.requestMs, signal, work);
  }
}

/** Undefined where the object changed, came up or went in between. */
async function unlessRefused<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const code = isAppError(error) ? error.code : undefined;
    if (code === 'ERR_KUBE_CONFLICT' || code === 'ERR_KUBE_NOT_FOUND') return undefined;
    throw error;
  }
}
