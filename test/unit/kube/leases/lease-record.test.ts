import { expect } from 'chai';
import { leaseDraft, readLease } from '../../../../src/kube/leases/lease-record.ts';
import { LeaseSightings } from '../../../../src/kube/leases/lease-sightings.ts';

const leaseOf = (spec: unknown): Parameters<typeof readLease>[0] => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'work-0', resourceVersion: '7' },
  spec,
});

describe('Leases as read', () => {
  it('what is written is read again', () => {
    const claim = {
      ...{ name: 'work-0', holder: 'a', durationMs: 8000, transitions: 3, version: '7' },
      acquireTime: '2026-01-01T00:00:00.000000Z',
      renewTime: '2026-01-01T00:00:01.000000Z',
    };
    const { metadata, spec } = leaseDraft(claim, { namespace: 'ns', group: 'work' });
    expect(metadata['labels']).to.include({ 'chainwright.dev/lease-group': 'work' });
    expect(readLease(leaseOf(spec))).to.deep.equal({ ...claim, uid: undefined });
  });

  it('what makes no sense is neither free nor held for ever', () => {
    expect(readLease(leaseOf(undefined))).to.include({ holder: '', durationMs: 15_000, transitions: 0 });
    expect(readLease(leaseOf({ holderIdentity: 'x', leaseDurationSeconds: -1 })).durationMs).to.equal(1000);
    expect(readLease(leaseOf({ holderIdentity: 'x', leaseDurationSeconds: 1e9 })).durationMs).to.equal(
      300_000,
    );
    expect(readLease(leaseOf({ holderIdentity: 5, leaseDurationSeconds: 'x' }))).to.include({ holder: '' });
  });

  it('runs out by the time that passed here, whatever times stand in it', () => {
    const sightings = new LeaseSightings();
    const record = readLease(
      leaseOf({ holderIdentity: 'a', leaseDurationSeconds: 8, renewTime: '2001-01-01T00:00:00.000000Z' }),
    );
    sightings.see([record], 1000);
    expect(sightings.holderOf('work-0', 9000)).to.equal('a');
    expect(sightings.holderOf('work-0', 9001)).to.equal(undefined);
    sightings.see([{ ...record, version: '8' }], 9000);
    expect(sightings.holderOf('work-0', 9001), 'a label was set').to.equal(undefined);
    sightings.see([{ ...record, renewTime: '2001-01-01T00:00:02.000000Z' }], 9000);
    expect(sightings.holderOf('work-0', 17_000)).to.equal('a');
    sightings.see([], 9000);
    expect(sightings.holderOf('work-0', 9000)).to.equal(undefined);
  });
});
