import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect } from 'chai';
import { openStack } from '../../../hack/stack/stack.ts';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { readLease } from '../../../src/kube/leases/lease-record.ts';
import { waitFor } from '../../support/waiting.ts';
import { openTestCluster } from './cluster.ts';
import type { TestCluster } from './cluster.ts';

type Told =
  | { readonly kind: 'begun' }
  | { readonly kind: 'gained' | 'lost'; readonly bucket: number; readonly atMs: number };

interface Replica {
  readonly process: ChildProcess;
  readonly held: Set<number>;
  readonly begun: Promise<undefined>;
}

/** How long a replica held a bucket, by the clock of this machine. */
interface Tenure {
  readonly bucket: number;
  readonly fromMs: number;
  toMs: number;
}

const buckets = 9;

describe('Lease buckets of several processes on a real API server', function () {
  this.timeout(600_000);
  let closing: AsyncDisposableStack;
  let cluster: TestCluster;
  let kubeconfig: string;
  let replicas: Map<string, Replica>;
  let tenures: Map<string, Tenure[]>;

  beforeEach(async () => {
    closing = new AsyncDisposableStack();
    replicas = new Map();
    tenures = new Map();
    cluster = closing.use(await openTestCluster());
    closing.defer(removeLeases);
    closing.defer(async () => {
      await Promise.all([...replicas.keys()].map((identity) => end(identity, 'SIGKILL')));
    });
    ({ kubeconfig } = await openStack());
  });
  afterEach(() => closing.disposeAsync());

  async function removeLeases(): Promise<void> {
    const { items } = await cluster.client.list(resourceTypes.leases, {
      namespace: cluster.namespace,
      signal: new AbortController().signal,
    });
    for (const { metadata } of items) {
      const ref = { namespace: cluster.namespace, name: metadata.name };
      await cluster.client.delete(resourceTypes.leases, ref, { signal: new AbortController().signal });
    }
  }

  function start(identity: string, count = buckets): void {
    const program = join(import.meta.dirname, 'lease-replica.ts');
    const child = fork(program, [kubeconfig, cluster.namespace, identity, String(count)]);
    const held = new Set<number>();
    const own: Tenure[] = [];
    tenures.set(identity, own);
    const begun = Promise.withResolvers<undefined>();
    child.on('message', (told: Told) => {
      if (told.kind === 'begun') {
        begun.resolve(undefined);
        return;
      }
      const { kind, bucket, atMs } = told;
      if (kind === 'gained') {
        held.add(bucket);
        own.push({ bucket, fromMs: atMs, toMs: Infinity });
        return;
      }
      held.delete(bucket);
      const last = own.findLast((one) => one.bucket === bucket);
      if (last !== undefined) last.toMs = atMs;
    });
    replicas.set(identity, { process: child, held, begun: begun.promise });
  }

  async function end(identity: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const replica = replicas.get(identity);
    if (replica === undefined) return;
    // Not only its exit: what it told before may still be on its way.
    const ended = once(replica.process, 'close');
    replica.process.kill(signal);
    await ended;
    for (const one of tenures.get(identity) ?? []) one.toMs = Math.min(one.toMs, Date.now());
    replicas.delete(identity);
  }

  const spread = (): readonly number[] =>
    [...replicas.values()].map(({ held }) => held.size).toSorted((a, b) => b - a);

  /** Buckets that two replicas held at once: by their own times, since messages of two processes come in any order. */
  const twice = (): readonly number[] => {
    const all = [...tenures.values()].flat();
    const meet = (one: Tenure, other: Tenure): boolean =>
      one !== other && one.bucket === other.bucket && one.fromMs < other.toMs && other.fromMs < one.toMs;
    return all.filter((one) => all.some((other) => meet(one, other))).map(({ bucket }) => bucket);
  };

  /** When the Leases of a replica end, by their own word, for each bucket. */
  async function leasesOf(identity: string): Promise<ReadonlyMap<number, number>> {
    const { items } = await cluster.client.list(resourceTypes.leases, {
      namespace: cluster.namespace,
      signal: new AbortController().signal,
    });
    const own = items.map(readLease).filter(({ name, holder }) => /-\d+$/.test(name) && holder === identity);
    return new Map(
      own.map(({ name, renewTime, durationMs }) => [
        Number(name.slice(name.lastIndexOf('-') + 1)),
        Date.parse(renewTime) + durationMs,
      ]),
    );
  }

  /** Waits until the buckets are spread so, and tells how long that took. */
  async function untilSpread(wanted: readonly number[], what: string): Promise<number> {
    const startedMs = performance.now();
    await waitFor(() => Promise.resolve(String(spread()) === String(wanted) ? true : undefined), {
      what: `${what}: ${String(wanted)}, not ${String(spread())},`,
      timeoutMs: 120_000,
      pollMs: 20,
    });
    return (performance.now() - startedMs) / 1000;
  }

  it('are shared evenly, handed on at once, and taken over within seconds of a SIGKILL', async () => {
    for (const name of ['a', 'b', 'c']) start(name);
    const sharedS = await untilSpread([3, 3, 3], 'three replicas share');
    await end('a', 'SIGTERM');
    expect((await leasesOf('a')).size, 'it let go of its Leases').to.equal(0);
    const handedS = await untilSpread([5, 4], 'one ends in order');
    start('d');
    await untilSpread([3, 3, 3], 'a newcomer gets its share');
    await end('b', 'SIGKILL');
    const dueMs = await leasesOf('b');
    expect(dueMs.size).to.equal(3);
    const takenS = await untilSpread([5, 4], 'one is killed');
    console.log(
      `      shared after ${sharedS.toFixed(1)} s, handed on in ${handedS.toFixed(1)} s, taken over ${takenS.toFixed(1)} s after SIGKILL`,
    );
    expect(twice()).to.deep.equal([]);
    expect(handedS, 'less than a Lease').to.be.below(8);
    expect(takenS).to.be.below(25);
    for (const [bucket, endMs] of dueMs) {
      const next = [...tenures.values()].flat().find((one) => one.bucket === bucket && one.toMs === Infinity);
      expect(next?.fromMs, 'not before the Lease is over').to.be.at.least(endMs);
    }
  });

  it('a single bucket has one holder, and another one after it is killed', async () => {
    start('a', 1);
    await untilSpread([1], 'the first holds it');
    start('b', 1);
    await replicas.get('b')?.begun;
    await new Promise((resolve) => setTimeout(resolve, 4000));
    expect(replicas.get('a')?.held.size).to.equal(1);
    await end('a', 'SIGKILL');
    const takenS = await untilSpread([1], 'the other takes over');
    console.log(`      taken over ${takenS.toFixed(1)} s after SIGKILL`);
    expect(takenS).to.be.below(25);
    expect(twice()).to.deep.equal([]);
  });
});
