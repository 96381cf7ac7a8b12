import { expect } from 'chai';
import type { EventNotice } from '../../../src/kube/events.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { AppError } from '../../../src/model/errors.ts';
import { silentLog } from '../../../src/model/log.ts';
import { SettingsFollower } from '../../../src/reconcilers/settings-follower.ts';
import { resolveSettings } from '../../../src/settings/resolution.ts';
import type { SettingsUser } from '../../../src/settings/settings-report.ts';
import type { Settings } from '../../../src/settings/settings-schema.ts';
import { VirtualClock, settle } from '../kube/virtual-clock.ts';
import { WatchedCluster } from './watched-cluster.ts';

interface Status {
  readonly observedGeneration: number;
  readonly conditions: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
  }[];
  readonly inForce?: {
    readonly generation?: number;
    readonly builderId: string;
    readonly fields: readonly { readonly path: string; readonly value: string; readonly source: string }[];
    readonly chainsConfig: readonly { readonly key: string; readonly verdict: string }[];
  };
}

describe('following the settings', () => {
  let cluster: WatchedCluster;
  let clock: VirtualClock;
  let stop: AbortController;
  let running: Promise<void>;
  let taken: Settings[];
  let notices: EventNotice[];
  let counted: string[];
  let refusal: AppError | undefined;
  let follower: SettingsFollower;

  beforeEach(() => {
    cluster = new WatchedCluster();
    clock = new VirtualClock();
    stop = new AbortController();
    [taken, notices, counted, refusal] = [[], [], [], undefined];
  });
  afterEach(async () => {
    stop.abort();
    await running;
  });

  const putConfig = (spec: object): KubeObject =>
    cluster.put(resourceTypes.chainwrightConfigs, { metadata: { name: 'default' }, spec });
  const putChains = (data: object): KubeObject =>
    cluster.put(resourceTypes.configMaps, {
      metadata: { name: 'chains-config', namespace: 'tekton-chains' },
      data,
    });
  const statusNow = (): Status =>
    cluster.getNow(resourceTypes.chainwrightConfigs, { name: 'default' })['status'] as Status;
  const conditionsNow = (): readonly string[] =>
    statusNow().conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`);
  const messageNow = (type: string): string =>
    statusNow().conditions.find((condition) => condition.type === type)?.message ?? '';

  const start = async (configFile?: string, user: SettingsUser = 'controller'): Promise<void> => {
    follower = new SettingsFollower({
      user,
      client: cluster,
      namespace: 'tekton-chains',
      configFile,
      resolve: (sources) => resolveSettings(sources),
      take: (settings) => {
        if (refusal !== undefined) return Promise.reject(refusal);
        taken.push(settings);
        return Promise.resolve();
      },
      events: {
        record: (notice) => {
          notices.push(notice);
        },
      },
      metrics: {
        settingsStand: ({ isInForce, isNewest }) =>
          counted.push(`${isInForce ? 'in force' : 'none'}, ${isNewest ? 'newest' : 'broken'}`),
        settingsChanged: (result) => counted.push(result),
        faultOccurred: (code) => counted.push(code),
      },
      clock,
      log: silentLog,
    });
    running = follower.run({ signal: stop.signal });
    await settle();
    await settle();
  };
  const change = async (work: () => unknown): Promise<void> => {
    work();
    await settle();
    await settle();
  };

  it('takes the defaults where the cluster says nothing', async () => {
    await start();
    expect(taken).to.deep.equal([resolveSettings({}).settings]);
    expect(follower.findUnready()).to.equal(undefined);
  });

  it('takes a change of the object at once, and says in the status what is in force and where it comes from', async () => {
    putConfig({ provenance: { builderId: 'https://one.example' } });
    putChains({ 'builder.id': 'https://chains.example', 'transparency.enabled': 'true', speling: 'x' });
    await start();
    await change(() => putConfig({ provenance: { builderId: 'https://two.example' } }));
    expect(taken.map(({ provenance }) => provenance.builderId)).to.deep.equal([
      'https://one.example',
      'https://two.example',
    ]);
    const { observedGeneration, inForce } = statusNow();
    expect(observedGeneration).to.equal(2);
    expect(inForce).to.include({ generation: 2, builderId: 'https://two.example', signer: 'key' });
    expect(inForce?.fields).to.deep.include.members([
      { path: 'provenance.builderId', value: '"https://two.example"', source: 'object' },
      { path: 'log.enabled', value: 'true', source: 'chains-config' },
    ]);
    expect(inForce?.chainsConfig.map(({ key, verdict }) => `${key} ${verdict}`)).to.deep.equal([
      'builder.id overridden',
      'transparency.enabled honoured',
      'speling ignored',
      'signers.x509.fulcio.enabled implied',
      'artifacts.taskrun.storage implied',
    ]);
    expect(conditionsNow()).to.deep.equal([
      'Ready True InForce',
      'Signing True Signing',
      'RestartRequired False UpToDate',
      'ChainsConfig False PartlyHonoured',
    ]);
    expect(messageNow('ChainsConfig')).to.include('speling is no key that Chains knows');
  });

  it('keeps the last good settings when the object breaks, and says what is in force and why', async () => {
    putConfig({ provenance: { builderId: 'https://one.example' } });
    await start();
    await change(() => putConfig({ controller: { retry: { base: '10m', max: '1s' } } }));
    expect(taken).to.have.length(1);
    expect(conditionsNow()[0]).to.equal('Ready False Invalid');
    expect(messageNow('Ready')).to.match(
      /base must not be longer than max; the settings of generation 1 before stay/,
    );
    expect(statusNow().inForce).to.include({ generation: 1, builderId: 'https://one.example' });
    expect(notices.map(({ reason, type }) => `${type} ${reason}`)).to.deep.equal([
      'Normal SettingsInForce',
      'Warning SettingsBroken',
    ]);
    expect(counted).to.deep.equal([
      'in force, newest',
      'taken',
      'in force, broken',
      'refused',
      'ERR_SETTINGS_INVALID',
    ]);
    await change(() => putConfig({ provenance: { builderId: 'https://three.example' } }));
    expect(taken.at(-1)?.provenance.builderId).to.equal('https://three.example');
    expect(conditionsNow()[0]).to.equal('Ready True InForce');
  });

  it('keeps the last good settings when what the new ones need cannot be had, and tries again', async () => {
    putConfig({});
    await start();
    refusal = new AppError('ERR_TRUST_ROOT_TUF', 'the repository is away', { kind: 'passing' });
    await change(() => putConfig({ log: { enabled: false } }));
    expect(conditionsNow()[0]).to.equal('Ready False Unusable');
    refusal = undefined;
    await clock.advance(5000);
    expect(taken.map(({ log }) => log.enabled)).to.deep.equal([true, false]);
    expect(conditionsNow()[0]).to.equal('Ready True InForce');
  });

  it('looks again by itself after a fault that nobody may tell the end of', async () => {
    refusal = new AppError('ERR_SETTINGS_SIGNER', 'cannot read /key', { kind: 'permanent' });
    await start();
    expect(follower.findUnready()).to.equal('no settings are in force: cannot read /key');
    refusal = undefined;
    await clock.advance(60_000);
    expect(taken).to.have.length(1);
    expect(follower.findUnready()).to.equal(undefined);
  });

  it('has nothing in force, and says so, where the object is broken from the start', async () => {
    putConfig({ signer: { type: 'kms' } });
    await start();
    await follower.attempted;
    expect(taken).to.deep.equal([]);
    expect(follower.findUnready()).to.match(/no settings are in force: .*must be one of keyless, key, none/s);
    expect(conditionsNow()).to.deep.equal(['Ready False Invalid', 'Signing False Disabled']);
    expect(messageNow('Ready')).to.include('so nothing is signed until this is mended');
    expect(counted).to.include('none, broken');
    await change(() => putConfig({}));
    expect(taken).to.have.length(1);
  });

  it('names the fields that have effect after a restart only', async () => {
    putConfig({});
    await start();
    await change(() =>
      putConfig({ telemetry: { metricsAddress: ':9999' }, controller: { namespaces: ['a'] } }),
    );
    expect(conditionsNow()).to.include('RestartRequired True BoundAtStart');
    expect(messageNow('RestartRequired')).to.include('controller.namespaces, telemetry.metricsAddress');
  });

  it('says that signing is switched off where it is', async () => {
    putConfig({ signer: { type: 'none' } });
    await start();
    expect(conditionsNow()).to.include.members(['Ready True InForce', 'Signing False Disabled']);
  });

  it('follows chains-config alone where a file stands in for the object, and tells its faults by an Event on it', async () => {
    putConfig({ provenance: { builderId: 'https://not.followed' } });
    putChains({ 'builder.id': 'https://chains.example' });
    await start('/etc/chainwright.yaml');
    expect(taken.at(-1)?.provenance.builderId).to.equal('https://chains.example');
    await change(() => putChains({ 'artifacts.oci.signer': 'kms' }));
    expect(notices.map(({ about, reason }) => `${about.kind} ${reason}`)).to.deep.equal([
      'ConfigMap SettingsBroken',
    ]);
    expect(notices[0]?.isShared).to.equal(true);
    expect(taken).to.have.length(1);
    await change(() => {
      cluster.remove(resourceTypes.configMaps, { namespace: 'tekton-chains', name: 'chains-config' });
    });
    expect(taken.at(-1)?.provenance.builderId).to.equal('https://tekton.dev/chains/v2');
  });

  it('are followed by the webhook, too, without chains-config and with a condition of its own', async () => {
    putConfig({});
    putChains({ 'artifacts.oci.signer': 'kms' });
    await start(undefined, 'webhook');
    expect(conditionsNow()).to.deep.equal(['WebhookReady True InForce']);
    await change(() => putConfig({ trustedRoot: { file: '/a' }, webhook: { timeout: '20s' } }));
    expect(messageNow('WebhookReady')).to.match(
      /after a restart of the webhook: trustedRoot, webhook\.timeout$/,
    );
    await change(() => putConfig({ webhook: { timeout: '1h' } }));
    expect(conditionsNow()).to.deep.equal(['WebhookReady False Invalid']);
    expect(statusNow().inForce).to.equal(undefined);
    expect(taken).to.have.length(2);
  });

  it('writes nothing where nothing changed', async () => {
    putConfig({});
    await start();
    await clock.advance(600_000);
    expect(cluster.countOf('apply status')).to.equal(1);
    expect(taken).to.have.length(1);
  });
});
