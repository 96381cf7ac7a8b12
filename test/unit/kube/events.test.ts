import { expect } from 'chai';
import { silentLog } from '../../../src/model/log.ts';
import { EventRecorder, eventReasons } from '../../../src/kube/events.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { FakeObjects } from './fake-objects.ts';
import { VirtualClock, settle } from './virtual-clock.ts';

function run(name: string): KubeObject {
  return {
    apiVersion: 'tekton.dev/v1',
    kind: 'TaskRun',
    metadata: { namespace: 'team', name, uid: `uid-${name}`, resourceVersion: '7' },
  };
}

describe('EventRecorder', () => {
  let objects: FakeObjects;
  let clock: VirtualClock;
  let recorder: EventRecorder;

  beforeEach(() => {
    objects = new FakeObjects();
    clock = new VirtualClock();
    recorder = new EventRecorder({ client: objects, clock, log: silentLog });
  });

  async function record(name: string, message = 'all is signed'): Promise<void> {
    recorder.record({ about: run(name), type: 'Normal', reason: eventReasons.signed, message });
    await settle();
  }

  const written = (): KubeObject[] => [...objects.objects.values()];

  it('writes an Event of the core group about the object, in one request', async () => {
    await record('build');
    expect(objects.calls.map((call) => call.verb)).to.deep.equal(['create']);
    const event = written()[0];
    expect(event?.metadata.name).to.match(/^build\.[0-9a-f]+$/);
    expect({ ...event, metadata: event?.metadata.namespace }).to.deep.equal({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: 'team',
      involvedObject: {
        apiVersion: 'tekton.dev/v1',
        kind: 'TaskRun',
        name: 'build',
        namespace: 'team',
        uid: 'uid-build',
        resourceVersion: '7',
      },
      type: 'Normal',
      reason: 'Signed',
      message: 'all is signed',
      source: { component: 'chainwright' },
      reportingComponent: 'chainwright',
      firstTimestamp: '2026-01-01T00:00:00.000Z',
      lastTimestamp: '2026-01-01T00:00:00.000Z',
      count: 1,
    });
  });

  it('counts a repeated notice up, and writes another for another message', async () => {
    await record('build');
    await clock.advance(1000);
    await record('build');
    await record('build', 'something else');
    expect(written().map((event) => event['count'])).to.deep.equal([2, 1]);
    expect(written()[0]?.['lastTimestamp']).to.equal('2026-01-01T00:00:01.000Z');
  });

  it('writes one Event of what every replica finds, and counts that one up', async () => {
    const other = new EventRecorder({ client: objects, clock, log: silentLog });
    const tellAll = async (about: KubeObject): Promise<void> => {
      for (const replica of [recorder, other]) {
        replica.record({ about, type: 'Warning', reason: 'SettingsBroken', message: 'x', isShared: true });
        await clock.advance(1000);
      }
    };
    await tellAll(run('settings'));
    expect(written().map((event) => event['count'])).to.deep.equal([1]);
    await tellAll(run('settings'));
    expect(written().map((event) => event['count'])).to.deep.equal([2]);
    expect(other.counts()).to.deep.equal({ written: 2, dropped: 0, failed: 0 });
    objects.failNext('create', 'ERR_KUBE_CONFLICT');
    await record('build');
    expect(recorder.counts().failed).to.equal(1);
  });

  it('writes anew when the Event to count up is gone', async () => {
    await record('build');
    objects.objects.clear();
    await record('build');
    expect(written().map((event) => event['count'])).to.deep.equal([1]);
  });

  it('cuts off a flood about one object, lets the others through, and one more every five minutes', async () => {
    for (let index = 0; index < 40; index += 1) await record('loud', `notice ${index}`);
    await record('calm');
    expect(recorder.counts()).to.deep.equal({ written: 26, dropped: 15, failed: 0 });
    await clock.advance(300_000);
    await record('loud', 'later');
    await record('loud', 'later still');
    expect(recorder.counts().written).to.equal(27);
  });

  it('drops what would wait behind 500 others', () => {
    for (let index = 0; index < 600; index += 1) {
      recorder.record({ about: run(`run-${index}`), type: 'Normal', reason: 'Signed', message: 'x' });
    }
    expect(recorder.counts().dropped).to.be.within(90, 100);
  });

  it('never throws, whatever the API server says', async () => {
    objects.failNext('create', 'ERR_KUBE_FORBIDDEN');
    await record('build');
    await record('build');
    expect(recorder.counts()).to.deep.equal({ written: 1, dropped: 0, failed: 1 });
  });

  it('keeps messages below 1,024 characters and names valid', async () => {
    await record(`${'a'.repeat(199)}-${'b'.repeat(50)}`, 'm'.repeat(5000));
    const event = written()[0];
    expect(event?.['message']).to.have.length(1024);
    expect(event?.metadata.name).to.match(/^a{199}\.[0-9a-f]{23,25}$/);
  });

  it('writes what it took when it is closed, and takes nothing more', async () => {
    recorder.record({ about: run('build'), type: 'Warning', reason: 'SigningFailed', message: 'x' });
    await recorder.close({ deadlineMs: 1000 });
    await record('late');
    expect(written()).to.have.length(1);
    expect(recorder.counts()).to.deep.equal({ written: 1, dropped: 1, failed: 0 });
    expect(resourceTypes.events.plural).to.equal('events');
  });
});
