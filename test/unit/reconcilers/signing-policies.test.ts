import { expect } from 'chai';
import type { EventNotice } from '../../../src/kube/events.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { isAppError } from '../../../src/model/errors.ts';
import { silentLog } from '../../../src/model/log.ts';
import type { SigningSetup } from '../../../src/reconcilers/run-terms.ts';
import { SigningPolicies } from '../../../src/reconcilers/signing-policies.ts';
import { SigningTerms } from '../../../src/reconcilers/signing-terms.ts';
import { resolveSettings } from '../../../src/settings/resolution.ts';
import type { Settings } from '../../../src/settings/settings-schema.ts';
import { VirtualClock, settle } from '../kube/virtual-clock.ts';
import { WatchedCluster } from './watched-cluster.ts';

interface Status {
  readonly conditions: readonly {
    readonly status: string;
    readonly reason: string;
    readonly message: string;
  }[];
  readonly fields?: readonly { readonly field: string; readonly verdict: string }[];
}

const clusterOf = (spec: object): Settings =>
  resolveSettings({
    object: {
      apiVersion: 'chainwright.dev/v1alpha1',
      kind: 'ChainwrightConfig',
      metadata: { name: 'default' },
      spec,
    },
  }).settings;

const runOf = (more: object = {}): KubeObject => ({
  apiVersion: 'tekton.dev/v1',
  kind: 'TaskRun',
  metadata: { name: 'build', namespace: 'team', labels: { 'tekton.dev/pipeline': 'release' } },
  spec: { taskRef: { name: 'kaniko' } },
  ...more,
});

describe('SigningPolicies of a cluster', () => {
  let cluster: WatchedCluster;
  let settings: Settings;
  let notices: EventNotice[];
  let changed: string[];
  let leased: Settings[];
  let stop: AbortController;
  let running: Promise<void>;
  let policies: SigningPolicies;
  let terms: SigningTerms;

  beforeEach(async () => {
    cluster = new WatchedCluster();
    settings = clusterOf({});
    [notices, changed, leased] = [[], [], []];
    stop = new AbortController();
    policies = new SigningPolicies({
      client: cluster,
      namespaces: [],
      settings: () => settings,
      onChange: (namespace) => changed.push(namespace),
      events: {
        record: (notice) => {
          notices.push(notice);
        },
      },
      clock: new VirtualClock(),
      log: silentLog,
    });
    const lease = (wanted: Settings) => {
      leased.push(wanted);
      return Promise.resolve({
        part: { policy: { signImages: true } } as unknown as SigningSetup,
        [Symbol.dispose]: () => undefined,
      });
    };
    terms = new SigningTerms({ setups: { lease }, policies }, settings);
    running = policies.run({ signal: stop.signal });
    await settle();
  });
  afterEach(async () => {
    stop.abort();
    await running;
  });

  const put = async (name: string, spec: object): Promise<void> => {
    cluster.put(resourceTypes.signingPolicies, { metadata: { name, namespace: 'team' }, spec });
    await settle();
    await settle();
  };
  const statusOf = (name: string): Status =>
    cluster.getNow(resourceTypes.signingPolicies, { namespace: 'team', name })['status'] as Status;
  const readyOf = (name: string): string => {
    const [ready] = statusOf(name).conditions;
    return `${ready?.status ?? ''} ${ready?.reason ?? ''}`;
  };
  const take = async (spec: object): Promise<void> => {
    settings = clusterOf(spec);
    terms.use(settings);
    policies.judgeAgain();
    await settle();
    await settle();
  };
  const refusalOf = async (): Promise<string> =>
    terms
      .termsOf(runOf())
      .open()
      .then(
        () => '',
        (error: unknown) => (isAppError(error) ? `${error.code} ${error.kind}` : String(error)),
      );

  it('are judged, told in their status, and judged anew when the cluster allows something else', async () => {
    await put('one', { provenance: { builderId: 'https://own.example' }, sbom: { enabled: false } });
    expect(readyOf('one')).to.equal('False Refused');
    expect(statusOf('one').fields?.map(({ field, verdict }) => `${field} ${verdict}`)).to.deep.equal([
      'provenance.builderId Refused',
      'sbom.enabled InForce',
    ]);
    await take({ policies: { grants: [{ namespaces: ['team'], builderIds: ['https://own.example'] }] } });
    expect(readyOf('one')).to.equal('True InForce');
    expect(notices.map(({ reason }) => reason)).to.deep.equal([
      'SigningPolicyRefused',
      'SigningPolicyInForce',
    ]);
    expect(changed).to.deep.equal(['team']);
  });

  it('that come to disagree tell so, and stop when one goes', async () => {
    await take({
      policies: { grants: [{ namespaces: ['*'], logs: ['https://a.example', 'https://b.example'] }] },
    });
    await put('one', { log: { url: 'https://a.example' } });
    expect(readyOf('one')).to.equal('True InForce');
    await put('two', { log: { url: 'https://b.example' } });
    expect([readyOf('one'), readyOf('two')]).to.deep.equal(['False Conflict', 'False Conflict']);
    expect(statusOf('one').conditions[0]?.message).to.include('log.url: disagrees with two');
    cluster.remove(resourceTypes.signingPolicies, { namespace: 'team', name: 'two' });
    await settle();
    await settle();
    expect(readyOf('one')).to.equal('True InForce');
  });

  it('keep what they said before when they cannot be read any more', async () => {
    await put('one', { action: 'Skip' });
    await put('one', { action: 'Jump' });
    expect(readyOf('one')).to.equal('False Invalid');
    expect(statusOf('one').conditions[0]?.message).to.include('what it said before stays in force');
    expect(terms.termsOf(runOf()).skip?.by).to.equal('SigningPolicy team/one');
  });

  it('that could never be read have the runs of their namespace wait', async () => {
    await put('one', { action: 'Jump' });
    expect(statusOf('one').conditions[0]?.message).to.include(
      'no run of this namespace is signed until it is mended',
    );
    expect(await refusalOf()).to.equal('ERR_SIGNING_POLICY_UNREADABLE passing');
    await put('one', {});
    expect(await refusalOf()).to.equal('');
  });

  it('have runs wait for a log that is switched off', async () => {
    await put('one', { logRequired: true });
    expect(await refusalOf()).to.equal('');
    await take({ log: { enabled: false } });
    expect(await refusalOf()).to.equal('ERR_SIGNING_POLICY_LOG passing');
  });

  it('give the run the settings that hold when it is looked at, and keep them for it', async () => {
    await put('one', {
      selector: { pipelines: ['release'], tasks: ['kaniko'] },
      signature: { enabled: false },
    });
    const before = terms.termsOf(runOf());
    await take({ controller: { managedBy: ['somebody'] } });
    (await before.open())[Symbol.dispose]();
    (await terms.termsOf(runOf()).open())[Symbol.dispose]();
    (await terms.termsOf(runOf({ spec: {} })).open())[Symbol.dispose]();
    expect(
      leased.map(({ signature, controller }) => [signature.enabled, controller.managedBy.length]),
    ).to.deep.equal([
      [false, 0],
      [false, 1],
      [true, 1],
    ]);
    expect(before.managedBy).to.deep.equal([]);
  });

  it('name a refused repository to the plan of the build', async () => {
    await put('one', { repositories: ['r.example/team/*'] });
    const { part } = await terms.termsOf(runOf()).open();
    const refuse = (path: string): string | undefined =>
      part.policy.refusesRepository?.({ registry: 'r.example', path });
    expect([refuse('team/app'), refuse('other/app')]).to.deep.equal([undefined, 'SigningPolicy team/one']);
  });

  it('leave every run alone where the cluster signs nothing', async () => {
    await take({ signer: { type: 'none' } });
    expect(terms.termsOf(runOf()).skip).to.deep.equal({
      by: 'ChainwrightConfig default',
      why: 'signer.type is none',
    });
  });
});
