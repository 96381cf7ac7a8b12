import { expect } from 'chai';
import type { EventNotice } from '../../../../src/kube/events.ts';
import { toRunningPod } from '../../../../src/reconcilers/scan/running-pod.ts';
import { tellChange } from '../../../../src/reconcilers/scan/scan-notices.ts';
import { ScanPace } from '../../../../src/reconcilers/scan/scan-pace.ts';
import { ScanTally } from '../../../../src/reconcilers/scan/scan-tally.ts';
import type { PlacedFinding } from '../../../../src/reconcilers/scan/scan-verdict.ts';
import { WorkloadIndex } from '../../../../src/reconcilers/scan/workload-index.ts';
import { VirtualClock } from '../../kube/virtual-clock.ts';

type Outcome = PlacedFinding['outcome'];

function findingOf(decisions: readonly (readonly [string, Outcome])[], isFault = false): PlacedFinding {
  const outcomes = decisions.map(([, outcome]) => outcome);
  return {
    image: 'r.example/app@sha256:1',
    outcome: outcomes.includes('denied') ? 'denied' : 'admitted',
    ...(isFault ? { faultKind: 'passing' } : {}),
    brief: 'because',
    decisions: decisions.map(([policy, outcome]) => ({ policy, outcome, reason: 'x' })),
    ...{ judgedAs: 'Pod', digestFrom: 'spec', pods: 1 },
  };
}

describe('the pace of the scan', () => {
  it('lets so many through in a second, and no burst after a pause', async () => {
    const clock = new VirtualClock();
    const pace = new ScanPace(10, clock);
    let turns = 0;
    const take = (): void => {
      void pace.turn(new AbortController().signal).then(() => (turns += 1));
    };
    await clock.advance(60_000);
    for (let index = 0; index < 25; index += 1) take();
    await clock.advance(1000);
    expect(turns).to.equal(11);
    await clock.advance(1500);
    expect(turns).to.equal(25);
  });

  it('who stops waiting gives its turn to the next', async () => {
    const clock = new VirtualClock();
    const pace = new ScanPace(1, clock);
    const ending = new AbortController();
    const gone = Array.from({ length: 50 }, () => pace.turn(ending.signal).catch(() => 'gone'));
    await clock.advance(0);
    ending.abort(new DOMException('over', 'AbortError'));
    expect((await Promise.all(gone)).filter((one) => one === 'gone')).to.have.length(49);
    let isTaken = false;
    void pace.turn(new AbortController().signal).then(() => (isTaken = true));
    await clock.advance(1000);
    expect(isTaken).to.equal(true);
  });
});

describe('the tally of the scan', () => {
  it('counts each Pod once a policy, by its worst image', () => {
    const tally = new ScanTally();
    const good = findingOf([['a', 'admitted']]);
    const bad = findingOf([
      ['a', 'denied'],
      ['b', 'admitted'],
    ]);
    const unknown = findingOf([['', 'denied']], true);
    const at = new Date(1_000_000);
    tally.put('one', { outcome: 'denied', ofPods: [[good], [good, bad]], at });
    tally.put('two', { outcome: 'error', ofPods: [[unknown]], at: new Date(1_030_000) });
    expect(tally.pods()).to.have.deep.members([
      { policy: 'a', outcome: 'admitted', pods: 1 },
      { policy: 'a', outcome: 'denied', pods: 1 },
      { policy: 'b', outcome: 'admitted', pods: 1 },
      { policy: '', outcome: 'error', pods: 1 },
    ]);
    expect(tally.oldestSeconds(new Date(1_060_000))).to.equal(60);
    tally.remove('one');
    expect(tally.oldestSeconds(new Date(1_060_000))).to.equal(30);
    expect([tally.size, tally.outcomeOf('two'), tally.outcomeOf('one')]).to.deep.equal([
      1,
      'error',
      undefined,
    ]);
  });
});

describe('Events of the scan', () => {
  const told = (before: string | undefined, now: 'admitted' | 'denied' | 'error'): readonly string[] => {
    const notices: EventNotice[] = [];
    const subject = { apiVersion: 'v1', kind: 'Pod', name: 'pod', uid: 'u' };
    const findings = [findingOf([['a', now === 'error' ? 'denied' : now]], now === 'error')];
    tellChange(
      { record: (notice) => notices.push(notice) },
      { namespace: 'ns', subject, before, now, findings },
    );
    return notices.map(({ type, reason, message }) => `${type} ${reason} ${message}`);
  };

  it('tell of changes alone, and of what is bad from the start', () => {
    expect(told(undefined, 'admitted')).to.deep.equal([]);
    expect(told('denied', 'denied')).to.deep.equal([]);
    expect(told(undefined, 'denied')).to.deep.equal(['Warning RunningImageDenied because']);
    expect(told('denied', 'admitted')[0]).to.match(/^Normal RunningImageAdmitted all images/);
    expect(told('admitted', 'error')).to.deep.equal(['Warning RunningImageUnknown because']);
  });
});

describe('Pods by workload', () => {
  it('keeps what runs together, and forgets a workload that runs nothing', () => {
    const index = new WorkloadIndex();
    const podOf = (name: string, owned: boolean): ReturnType<typeof toRunningPod> => {
      const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'agent', uid: 'd', controller: true };
      const metadata = { name, namespace: 'ns', uid: name, ...(owned ? { ownerReferences: [owner] } : {}) };
      return toRunningPod({ apiVersion: 'v1', kind: 'Pod', metadata, spec: {} }, { keepsImages: true });
    };
    const [one, two, alone] = [podOf('one', true), podOf('two', true), podOf('alone', false)];
    const { key } = index.put(one);
    expect(index.put(two).key).to.equal(key).and.to.equal('ns/DaemonSet/agent');
    expect(index.put(alone)).to.include({ key: 'ns/Pod/alone', kind: 'Pod', name: 'alone' });
    expect(index.podsOf(key)).to.have.length(2);
    index.remove(one);
    index.forget(key);
    expect(index.find(key), 'one is left').to.not.equal(undefined);
    index.remove(two);
    expect(index.podsOf(key)).to.deep.equal([]);
    index.forget(key);
    expect([...index.subjects()].map((subject) => subject.key)).to.deep.equal(['ns/Pod/alone']);
  });
});
