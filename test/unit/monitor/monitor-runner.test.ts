import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { Agent } from 'undici';
import { eventReasons } from '../../../src/kube/events.ts';
import type { EventNotice } from '../../../src/kube/events.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { AppError } from '../../../src/model/errors.ts';
import type { Log } from '../../../src/model/log.ts';
import { noAlarms } from '../../../src/monitor/alarm-book.ts';
import { IntentMemories } from '../../../src/monitor/intent-memory.ts';
import { MonitorRunner } from '../../../src/monitor/monitor-runner.ts';
import { statusOf } from '../../../src/monitor/monitor-status.ts';
import { statedProgressOf } from '../../../src/monitor/stated-progress.ts';
import { noTrust } from '../../../src/signing/trust-root.ts';
import { createMonitorMetrics } from '../../../src/telemetry/monitor-metrics.ts';
import { VirtualClock } from '../kube/virtual-clock.ts';
import { WatchedCluster } from '../reconcilers/watched-cluster.ts';
import { OwnLog } from '../transparency/own-log.ts';
import { entryOf, newCertificate, newKey, newPayload } from './entries.ts';

const type = resourceTypes.logMonitors;
const say = (): undefined => undefined;
const silent: Log = { debug: say, info: say, warn: say, error: say, child: () => silent };
const status = { nextIndex: 12, alarms: 1, lastAlarm: { kind: 'UnexplainedEntry' } };

describe('MonitorRunner, while the API server gives no state', () => {
  let cluster: WatchedCluster;
  let clock: VirtualClock;
  let stop: AbortController;

  const live = (): KubeObject => cluster.getNow(type, { name: 'one' });
  const start = (): Promise<void> => {
    const away = new AppError('ERR_KUBE_UNREACHABLE', 'away', { kind: 'passing' });
    const runner = new MonitorRunner({
      client: {
        get: (asked, ref) => (asked === type ? cluster.get(asked, ref) : Promise.reject(away)),
        create: () => Promise.reject(away),
        replace: () => Promise.reject(away),
        apply: (...args) => cluster.apply(...args),
      },
      ...{ namespace: 'chainwright-monitor', object: live(), find: live, clock, log: silent },
      openTrustRoot: () => ({ current: () => Promise.reject(away) }),
      memories: new IntentMemories(),
      source: { refresh: () => Promise.resolve() },
      readSecret: () => Promise.reject(away),
      dispatcherFor: () => {
        throw away;
      },
      events: { record: () => undefined },
      metrics: createMonitorMetrics({ version: '1', alarms: [] }).of('one'),
    });
    return runner.run({ signal: stop.signal });
  };

  beforeEach(() => {
    cluster = new WatchedCluster();
    clock = new VirtualClock();
    stop = new AbortController();
    const log = { url: 'https://rekor.example', apiVersion: 1 };
    const spec = { log, identities: [{ subject: 'https://us.example' }] };
    cluster.put(type, { metadata: { name: 'one' }, spec, status });
  });

  it('does not say that all is well, and leaves what the status knows', async () => {
    const running = start();
    await clock.advance(30_000);
    stop.abort();
    await running;
    const { conditions, ...fields } = live()['status'] as { conditions: { type: string; status: string }[] };
    expect(conditions.map((one) => `${one.type}=${one.status}`)).to.include.members([
      'Ready=False',
      'Healthy=Unknown',
    ]);
    expect(fields).to.deep.include(status);
  });

  it('says nothing of a later generation of the object, which it does not follow', async () => {
    const running = start();
    cluster.put(type, { metadata: { name: 'one' }, spec: { ...(live()['spec'] as object), interval: '1s' } });
    expect(live().metadata['generation']).to.equal(2);
    await clock.advance(30_000);
    stop.abort();
    await running;
    expect(live()['status']).to.not.have.property('conditions');
  });
});

describe('MonitorRunner, when what was stored is lost', () => {
  const agent = new Agent();
  after(() => agent.close());

  it('goes on from the status as it is now, with the index and the alarms that it has', async () => {
    const signer = await newCertificate('https://us.example', 'https://issuer.example');
    const bodies = Array.from({ length: 14 }, () => entryOf('dsse', newPayload(), newKey()));
    await using log = await OwnLog.open(bodies.with(12, entryOf('dsse', newPayload(), signer)));
    const cluster = new WatchedCluster();
    const spec = { log: { url: log.url, apiVersion: 1 }, identities: [{ subject: 'https://us.example' }] };
    const object = cluster.put(type, { metadata: { name: 'one' }, spec });
    const lastAlarm = { kind: 'UnexplainedEntry', time: '2026-10-01T00:00:00Z', message: 'us', logIndex: 3 };
    cluster.put(type, { ...object, status: { nextIndex: 12, alarms: 1, lastAlarm } });
    const stop = new AbortController();
    const told = Promise.withResolvers<EventNotice>();
    const key = { logID: Buffer.from(log.key.logId, 'hex'), baseURL: log.url, publicKey: log.key.publicKey };
    const validFor = { start: new Date(0), end: new Date(8.64e15) };
    const trusted = { material: { ...noTrust.material, tlogs: [{ ...key, validFor }] }, version: '1' };
    const books: unknown[] = [];
    const runner = new MonitorRunner({
      client: {
        get: (asked, ref) => cluster.get(asked, ref),
        create: (...args) => cluster.create(...args),
        replace: (...args) => cluster.replace(...args),
        apply: (asked, draft, options) => {
          books.push((draft['status'] as { alarms?: number }).alarms);
          return cluster.apply(asked, draft, options);
        },
      },
      ...{ namespace: 'chainwright-monitor', object, find: () => cluster.find(type, { name: 'one' }) },
      clock: { now: () => new Date(), sleep: (ms, signal) => sleep(Math.min(ms, 20), undefined, { signal }) },
      openTrustRoot: () => ({ current: () => Promise.resolve(trusted) }),
      memories: new IntentMemories(),
      source: { refresh: () => Promise.resolve() },
      readSecret: () => Promise.resolve(''),
      dispatcherFor: () => agent,
      events: {
        record: (notice) => {
          if (notice.reason === eventReasons.unexplainedEntry) told.resolve(notice);
        },
      },
      metrics: createMonitorMetrics({ version: '1', alarms: [] }).of('one'),
      log: silent,
    });
    const running = runner.run({ signal: stop.signal });
    expect((await told.promise).message).to.include('logIndex 12');
    while (!books.includes(2)) await sleep(5);
    stop.abort();
    await running;
    expect(new Set(books)).to.not.include(0);
    const { conditions } = cluster.getNow(type, { name: 'one' })['status'] as { conditions: object[] };
    expect(JSON.stringify(conditions)).to.include('2 not acknowledged');
  });
});

describe('statedProgressOf', () => {
  const metadata = { name: 'one' };
  const of = (status?: object) => statedProgressOf({ apiVersion: '', kind: '', metadata, status });

  it('gives back what statusOf wrote', () => {
    const last = {
      kind: 'UnexplainedEntry',
      message: 'us',
      fields: { logIndex: 9, identity: 'us' },
      raisedAt: '2026-10-01T00:00:00Z',
    } as const;
    const alarms = { ...noAlarms, count: 2, forged: 3, last };
    const told = { spec: undefined, obstacle: undefined, fault: undefined, standing: undefined };
    const { fields } = statusOf({ ...told, alarms, receiverFault: undefined, storeFault: undefined });
    expect(of({ ...fields, nextIndex: 12 })).to.deep.equal({ nextIndex: 12, alarms });
  });

  it('takes a status that says nothing, or nonsense, for one of a monitor that begins', () => {
    const none = { nextIndex: undefined, alarms: noAlarms };
    for (const status of [undefined, {}, { nextIndex: -1, alarms: 'x', lastAlarm: { kind: 'no' } }]) {
      expect(of(status)).to.deep.equal(none);
    }
  });

  it('counts alarms as given up whose calls were lost', () => {
    expect(of({ alarms: 2, undeliveredAlarms: 2 }).alarms).to.include({ count: 2, dropped: 2 });
  });
});
