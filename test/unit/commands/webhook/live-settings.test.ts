import { expect } from 'chai';
import { openLiveSettings } from '../../../../src/commands/webhook/live-settings.ts';
import type { LiveSettings } from '../../../../src/commands/webhook/live-settings.ts';
import { resourceTypes } from '../../../../src/kube/resource-type.ts';
import { AppError } from '../../../../src/model/errors.ts';
import { silentLog } from '../../../../src/model/log.ts';
import { createAdmissionMetrics } from '../../../../src/telemetry/admission-metrics.ts';
import type { Settings } from '../../../../src/settings/settings-schema.ts';
import { VirtualClock } from '../../kube/virtual-clock.ts';
import { WatchedCluster } from '../../reconcilers/watched-cluster.ts';

const absent = new AppError('ERR_KUBE_NOT_FOUND', 'ConfigMap private-ca is not there', { kind: 'permanent' });
const config = {
  apiVersion: 'chainwright.dev/v1alpha1',
  kind: 'ChainwrightConfig',
  metadata: { name: 'default' },
  spec: { webhook: { resolveTags: false } },
};

describe('the settings of the webhook', () => {
  let cluster: WatchedCluster;
  let clock: VirtualClock;
  let closing: AsyncDisposableStack;
  let used: Settings[];
  let metrics: ReturnType<typeof createAdmissionMetrics>;
  let fault: AppError | undefined;

  beforeEach(() => {
    cluster = new WatchedCluster();
    clock = new VirtualClock();
    closing = new AsyncDisposableStack();
    [used, fault] = [[], undefined];
    metrics = createAdmissionMetrics({ version: '0' });
  });
  afterEach(() => closing.disposeAsync());

  const open = (configFile?: string): Promise<LiveSettings | undefined> => {
    return openLiveSettings({
      sources: {
        flags: { telemetry: { metricsAddress: '127.0.0.1:0' } },
        ...(configFile === undefined ? {} : { object: config }),
      },
      configFile,
      namespace: 'tekton-chains',
      client: cluster,
      events: { record: () => undefined },
      metrics,
      clock,
      log: { ...silentLog, setLevel: () => undefined },
      use: (settings) => {
        if (fault !== undefined) return Promise.reject(fault);
        used.push(settings);
        return Promise.resolve();
      },
      signal: new AbortController().signal,
      closing,
    });
  };
  const messageNow = (): string => {
    const { status } = cluster.getNow(resourceTypes.chainwrightConfigs, { name: 'default' });
    return JSON.stringify(status);
  };

  it('are not in force, with the reason, until what they name from the start is there', async () => {
    cluster.put(resourceTypes.chainwrightConfigs, config);
    fault = absent;
    const opening = open();
    await clock.advance(60_000);
    expect(messageNow()).to.match(/"Unusable".*private-ca is not there; the webhook does not answer/);
    fault = undefined;
    await clock.advance(60_000);
    expect((await opening)?.current.webhook.resolveTags).to.equal(false);
    expect(messageNow()).to.include('"InForce"');
  });

  it('have what they name looked at again once a minute', async () => {
    cluster.put(resourceTypes.chainwrightConfigs, config);
    await open();
    expect(used).to.have.length(1);
    await clock.advance(60_000);
    expect(used).to.have.length(2);
    fault = absent;
    await clock.advance(60_000);
    expect(messageNow()).to.match(
      /"Unusable".*private-ca is not there; the settings of generation 1 before stay/,
    );
  });

  it('stay in force, and count as sound, while the server that is asked is away', async () => {
    cluster.put(resourceTypes.chainwrightConfigs, config);
    await open();
    fault = new AppError('ERR_KUBE_BUSY', 'the API server is away', { kind: 'passing' });
    await clock.advance(60_000);
    expect(messageNow()).to.include('"InForce"');
    fault = undefined;
    await clock.advance(60_000);
    expect(used).to.have.length(2);
  });

  it('from a file are treated alike', async () => {
    fault = absent;
    const opening = open('/etc/chainwright.yaml');
    await clock.advance(60_000);
    fault = undefined;
    await clock.advance(60_000);
    expect((await opening)?.current.webhook.resolveTags).to.equal(false);
    await clock.advance(60_000);
    expect((await metrics.render()).split('\n')).to.include.members([
      'chainwright_settings_in_force 1',
      'chainwright_settings_broken 0',
    ]);
    expect(used).to.have.length(2);
  });
});
