import { expect } from 'chai';
import { withShares } from '../../../../src/commands/backfill/with-shares.ts';
import type { LeaseHealth } from '../../../../src/kube/leases/lease-buckets.ts';

const all = [0, 1, 2, 3, 4, 5, 6, 7];

/** What became of it, and after how many seconds, where the shares fare like that. */
async function outcomeOf(
  healthAt: (seconds: number) => Partial<LeaseHealth>,
): Promise<readonly [outcome: string | undefined, seconds: number]> {
  let nowMs = 0;
  const clock = {
    now: () => new Date(nowMs),
    sleep: (ms: number) => {
      nowMs += ms;
      return Promise.resolve();
    },
  };
  const shares = {
    run: () => Promise.resolve(),
    health: () => ({ held: [], members: 1, fault: undefined, ...healthAt(nowMs / 1000) }),
  };
  const { signal } = new AbortController();
  const outcome = await withShares(shares, { clock, signal }, () => Promise.resolve('done')).catch(
    (error: unknown) => String((error as { readonly code?: unknown }).code),
  );
  return [outcome, Math.floor(nowMs / 1000)];
}

describe('withShares', () => {
  it('works once it holds all shares', async () => {
    expect(await outcomeOf((seconds) => ({ held: seconds < 12 ? [] : all }))).to.deep.equal(['done', 12]);
  });

  it('leaves the work to another replica that lives', async () => {
    const outcome = await outcomeOf(() => ({ held: all.slice(4), members: 2 }));
    expect(outcome).to.deep.equal([undefined, 20]);
  });

  it('waits longer for a slow API server while nobody else is there', async () => {
    const outcome = await outcomeOf((seconds) => ({ held: seconds < 50 ? all.slice(1) : all }));
    expect(outcome).to.deep.equal(['done', 50]);
  });

  it('says so if Leases cannot be had', async () => {
    expect(await outcomeOf(() => ({ fault: 'forbidden' }))).to.deep.equal(['ERR_BACKFILL_LEASES', 20]);
  });
});
