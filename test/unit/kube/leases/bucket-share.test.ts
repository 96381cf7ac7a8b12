import { expect } from 'chai';
import { bucketOfKey, planShare } from '../../../../src/kube/leases/bucket-share.ts';

describe('planShare', () => {
  it('takes what is free up to the share', () => {
    const { take, release } = planShare({
      self: 'a',
      members: ['a', 'b'],
      holders: ['b', undefined, undefined, undefined],
    });
    expect(take).to.have.length(2);
    expect(release).to.deep.equal([]);
  });

  it('gives up what exceeds the share, and nothing where the rest falls to whoever holds more', () => {
    const holders = ['a', 'a', 'a', 'b', 'b'];
    expect(planShare({ self: 'a', members: ['a', 'b'], holders })).to.deep.equal({ take: [], release: [] });
    expect(planShare({ self: 'a', members: ['a', 'b', 'c'], holders }).release).to.have.length(1);
    expect(planShare({ self: 'b', members: ['a', 'b', 'c'], holders }).release).to.deep.equal([]);
  });

  it('counts holders that did not announce themselves', () => {
    expect(planShare({ self: 'z', members: [], holders: ['a'] })).to.deep.equal({ take: [], release: [] });
  });

  it('targets add up to the buckets, whoever asks', () => {
    const members = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const holders = Array.from({ length: 16 }, () => undefined);
    const taken = members.map((self) => planShare({ self, members, holders }).take.length);
    expect(taken.reduce((sum, size) => sum + size)).to.equal(16);
    expect(Math.max(...taken) - Math.min(...taken)).to.equal(1);
  });
});

describe('bucketOfKey', () => {
  it('is fixed for all replicas and versions', () => {
    expect(['ns/a', 'ns/b', ''].map((key) => bucketOfKey(key, 16))).to.deep.equal([11, 9, 2]);
  });

  it('spreads keys evenly', () => {
    const counts = new Array<number>(8).fill(0);
    for (let index = 0; index < 8000; index += 1) {
      const bucket = bucketOfKey(`ns/run-${index}`, 8);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
    }
    for (const count of counts) expect(count).to.be.within(850, 1150);
  });
});
