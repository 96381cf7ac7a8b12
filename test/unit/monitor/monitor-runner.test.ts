import { expect } from 'chai';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { AppError } from '../../../src/model/errors.ts';
import type { Log } from '../../../src/model/log.ts';
import { IntentMemories } from '../../../src/monitor/intent-memory.ts';
import { MonitorRunner } from '../../../src/monitor/monitor-runner.ts';
import { createMonitorMetrics } from '../../../src/telemetry/monitor-metrics.ts';
import { VirtualClock } from '../kube/virtual-clock.ts';
import { WatchedCluster } from '../reconcilers/watched-cluster.ts';

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
      metrics: createMonitorMetrics({ version: '1' }).of('one'),
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
