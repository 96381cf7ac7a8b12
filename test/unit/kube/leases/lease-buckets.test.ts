import { expect } from 'chai';
import { defaultLeaseTimes } from '../../../../src/kube/leases/lease-buckets.ts';
import { LeaseWorld } from './lease-world.ts';

const { durationMs, renewDeadlineMs, retryMs } = defaultLeaseTimes;
// A look by the one who takes over, and one more where another was faster.
const takeOverMs = durationMs + 3 * retryMs;

describe('LeaseBuckets', () => {
  let world: LeaseWorld;

  beforeEach(() => {
    world = new LeaseWorld();
  });

  afterEach(() => {
    expect(world.conflicts, 'buckets held twice').to.deep.equal([]);
  });

  const specOf = (name: string): unknown => world.leases.get(name)?.['spec'];

  it('one replica holds all buckets, each by a Lease', async () => {
    const one = world.start('a');
    await world.pass(retryMs);
    expect(one.buckets.health()).to.deep.equal({ held: [0, 1, 2, 3, 4, 5], members: 1, fault: undefined });
    expect(specOf('work-3')).to.include({
      holderIdentity: 'a',
      leaseDurationSeconds: 8,
      leaseTransitions: 0,
    });
    expect(specOf('work-3'))
      .to.have.property('renewTime')
      .that.matches(/^2026-01-01T00:00:0\d\.\d{6}Z$/);
    expect(one.buckets.holds('some/key')).to.equal(true);
    await one.stop();
  });

  it('newcomers get their share, those who leave hand theirs on at once', async () => {
    const first = world.start('a');
    await world.pass(2 * retryMs);
    const others = ['b', 'c', 'd'].map((name) => world.start(name));
    await world.pass(6 * retryMs);
    expect(world.spread()).to.deep.equal([2, 2, 1, 1]);
    await Promise.all([first.stop(), world.pass(retryMs)]);
    await world.pass(2 * retryMs);
    expect(world.spread()).to.deep.equal([2, 2, 2]);
    expect([...world.leases.keys()]).to.not.include('work-member-a');
    await Promise.all([...others.map((one) => one.stop()), world.pass(retryMs)]);
    expect([...world.leases.keys()]).to.have.length(6);
    expect(specOf('work-0')).to.include({ holderIdentity: '', leaseDurationSeconds: 1 });
  });

  it('takes over what a dead replica held, and not before its Leases ran out', async () => {
    const dying = world.start('a');
    const heir = world.start('b');
    await world.pass(6 * retryMs);
    expect(world.spread()).to.deep.equal([3, 3]);
    dying.kill();
    await world.pass(durationMs - 2 * retryMs);
    expect(world.spread()).to.deep.equal([3]);
    await world.pass(takeOverMs - durationMs + 2 * retryMs);
    expect(world.spread()).to.deep.equal([6]);
    expect(specOf('work-0')).to.include({ holderIdentity: 'b', leaseTransitions: 1 });
    await world.pass(12 * durationMs);
    expect([...world.leases.keys()], 'what a dead one leaves is removed').to.not.include('work-member-a');
    await Promise.all([heir.stop(), world.pass(retryMs)]);
  });

  it('gives up by itself what it cannot renew, before anybody else may take it', async () => {
    const cut = world.start('a');
    await world.pass(retryMs);
    cut.cutOff(true);
    await world.pass(renewDeadlineMs + retryMs);
    expect(cut.holding.size).to.equal(0);
    expect(cut.buckets.health().fault).to.equal('ERR_KUBE_UNREACHABLE');
    expect(cut.buckets.holds('some/key')).to.equal(false);
    cut.cutOff(false);
    await world.pass(2 * retryMs);
    expect(cut.holding.size, 'its own Leases are taken again at once').to.equal(6);
    expect(cut.buckets.health().fault).to.equal(undefined);
    await Promise.all([cut.stop(), world.pass(retryMs)]);
  });

  it('a pause that is shorter than the deadline costs nothing', async () => {
    const lost: number[] = [];
    const one = world.start('a', { onLost: (bucket) => lost.push(bucket) });
    await world.pass(retryMs);
    one.cutOff(true);
    await world.pass(renewDeadlineMs - 2 * retryMs);
    one.cutOff(false);
    await world.pass(3 * durationMs);
    expect(lost).to.deep.equal([]);
    await Promise.all([one.stop(), world.pass(retryMs)]);
  });

  it('hands a bucket on once the work on it has ended, and renews it until then', async () => {
    const working = Promise.withResolvers<undefined>();
    const first = world.start('a', { buckets: 1, onLost: () => working.promise, drainMs: 60_000 });
    await world.pass(retryMs);
    const second = world.start('b', { buckets: 1 });
    const stopping = first.stop();
    await world.pass(3 * durationMs);
    expect(second.holding.size).to.equal(0);
    working.resolve(undefined);
    await Promise.all([stopping, world.pass(3 * retryMs)]);
    expect(second.holding.size).to.equal(1);
    await Promise.all([second.stop(), world.pass(retryMs)]);
  });

  it('waits for work that does not end no longer than it may', async () => {
    const first = world.start('a', { onLost: () => new Promise(() => undefined), drainMs: 3000 });
    await world.pass(retryMs);
    await Promise.all([first.stop(), world.pass(3000 + 2 * retryMs)]);
    expect(specOf('work-0')).to.include({ holderIdentity: '' });
  });

  it('a single bucket stays with its holder, whoever comes', async () => {
    const first = world.start('b', { buckets: 1 });
    await world.pass(retryMs);
    const second = world.start('a', { buckets: 1 });
    await world.pass(10 * durationMs);
    expect([...first.holding]).to.deep.equal([0]);
    expect([...world.leases.keys()]).to.deep.equal(['work-0']);
    first.kill();
    await world.pass(takeOverMs);
    expect([...second.holding]).to.deep.equal([0]);
    await Promise.all([second.stop(), world.pass(retryMs)]);
  });

  it('hours of replicas that come, go, die and lose the network end with all buckets held, none ever twice', async () => {
    let seed = 7;
    const random = (): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed / 2_147_483_648;
    };
    let replicas = ['r0', 'r1', 'r2'].map((name) => world.start(name, { random }));
    for (let turn = 3; turn < 40; turn += 1) {
      const chosen = replicas[Math.floor(random() * replicas.length)];
      if (chosen !== undefined && random() < 0.3) chosen.cutOff(random() < 0.5);
      else if (chosen !== undefined && replicas.length > 2) {
        if (random() < 0.5) chosen.kill();
        else void chosen.stop();
        replicas = replicas.filter((one) => one !== chosen);
      } else replicas.push(world.start(`r${turn}`, { random }));
      await world.pass(random() * 2 * durationMs);
    }
    for (const one of replicas) one.cutOff(false);
    await world.pass(2 * takeOverMs);
    const spread = world.spread();
    expect(spread.reduce((sum, size) => sum + size, 0)).to.equal(6);
    expect(Math.max(...spread) - Math.min(...spread)).to.be.at.most(1);
    await Promise.all([...replicas.map((one) => one.stop()), world.pass(durationMs)]);
  });
});
