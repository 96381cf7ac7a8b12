import { AppError } from '../../../../src/model/errors.ts';
import { silentLog } from '../../../../src/model/log.ts';
import type { KubeObject, KubeObjectDraft } from '../../../../src/kube/kube-object.ts';
import { LeaseBuckets } from '../../../../src/kube/leases/lease-buckets.ts';
import type { LeaseBucketsOptions } from '../../../../src/kube/leases/lease-buckets.ts';
import { VirtualClock } from '../virtual-clock.ts';

/** A replica in a {@link LeaseWorld}. */
export interface Replica {
  readonly identity: string;
  readonly buckets: LeaseBuckets;
  /** Buckets whose signal has not fired. */
  readonly holding: ReadonlySet<number>;
  /** Ends it as SIGKILL does: it writes nothing any more. */
  kill(): void;
  /** Ends it in order. */
  stop(): Promise<void>;
  /** What it asks of the API server fails from now on, or does so no more. */
  cutOff(isCut: boolean): void;
}

/** Replicas that share Leases in memory, on a clock of their own. */
export class LeaseWorld {
  readonly clock: VirtualClock;
  readonly leases = new Map<string, KubeObject>();
  /** Times at which two replicas thought that they held one bucket. */
  readonly conflicts: string[] = [];
  readonly #replicas: (Replica & { readonly holding: Set<number> })[] = [];
  #version = 0;

  constructor(clock = new VirtualClock()) {
    this.clock = clock;
  }

  /** The API server as a replica sees it that neither dies nor is cut off. */
  get client(): LeaseBucketsOptions['client'] {
    return this.#clientOf({ isDead: false, isCut: false });
  }

  /** Moves on in small steps, looking after each that no bucket is held twice. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      await this.clock.advance(100);
      const held = this.#replicas.flatMap(({ holding }) => [...holding]);
      if (new Set(held).size < held.length)
        this.conflicts.push(`${this.clock.now().toISOString()} ${held.join(' ')}`);
    }
  }

  /** How many buckets each living replica holds, most first. */
  spread(): readonly number[] {
    return this.#replicas.map(({ holding }) => holding.size).toSorted((a, b) => b - a);
  }

  start(identity: string, options: Partial<LeaseBucketsOptions> = {}): Replica {
    const stop = new AbortController();
    const holding = new Set<number>();
    const state = { isDead: false, isCut: false };
    const buckets = new LeaseBuckets({
      client: this.#clientOf(state),
      namespace: 'ns',
      group: 'work',
      buckets: 6,
      identity,
      clock: this.clock,
      elapsedMs: () => this.clock.now().getTime(),
      random: () => 0.5,
      log: silentLog,
      onGained: ({ bucket, signal }) => {
        if (state.isDead) return;
        holding.add(bucket);
        signal.addEventListener('abort', () => holding.delete(bucket));
      },
      ...options,
    });
    const running = buckets.run({ signal: stop.signal });
    const forget = (): void => {
      this.#replicas.splice(this.#replicas.indexOf(replica), 1);
    };
    const replica = {
      identity,
      buckets,
      holding,
      kill: () => {
        state.isDead = true;
        forget();
      },
      stop: async () => {
        stop.abort();
        await running;
        forget();
      },
      cutOff: (isCut: boolean) => {
        state.isCut = isCut;
      },
    };
    this.#replicas.push(replica);
    return replica;
  }

  #clientOf(state: { readonly isDead: boolean; readonly isCut: boolean }): LeaseBucketsOptions['client'] {
    const reach = (): void => {
      if (state.isDead || state.isCut) throw fault('ERR_KUBE_UNREACHABLE');
    };
    const existing = (name: string): KubeObject => {
      const found = this.leases.get(name);
      if (found === undefined) throw fault('ERR_KUBE_NOT_FOUND');
      return found;
    };
    const call = <T>(work: () => T): Promise<T> =>
      Promise.resolve().then(() => {
        reach();
        return work();
      });
    return {
      list: () => call(() => ({ items: [...this.leases.values()], resourceVersion: '' })),
      get: (_type, { name }) => call(() => existing(name)),
      create: (_type, draft) =>
        call(() => {
          if (this.leases.has(nameOf(draft))) throw fault('ERR_KUBE_CONFLICT');
          return this.#store(draft);
        }),
      replace: (_type, draft) =>
        call(() => {
          const { resourceVersion } = existing(nameOf(draft)).metadata;
          if (resourceVersion !== draft.metadata['resourceVersion']) throw fault('ERR_KUBE_CONFLICT');
          return this.#store(draft);
        }),
      delete: (_type, { name }) =>
        call(() => {
          existing(name);
          this.leases.delete(name);
        }),
    };
  }

  #store(draft: KubeObjectDraft): KubeObject {
    this.#version += 1;
    const name = nameOf(draft);
    const metadata = { ...draft.metadata, name, uid: `uid-${name}`, resourceVersion: String(this.#version) };
    const stored = { ...draft, metadata };
    this.leases.set(name, stored);
    return stored;
  }
}

function nameOf(draft: KubeObjectDraft): string {
  return String(draft.metadata['name']);
}

function fault(code: string): AppError {
  return new AppError(code, code, { kind: 'passing' });
}
