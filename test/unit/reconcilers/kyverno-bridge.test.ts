import { expect } from 'chai';
import { AppError } from '../../../src/model/errors.ts';
import { silentLog } from '../../../src/model/log.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import { PolicyRegister } from '../../../src/policy/policy-register.ts';
import type { CompiledClusterPolicy } from '../../../src/policy/compiled-policy.ts';
import { compileGlob } from '../../../src/policy/image-glob.ts';
import type { ExportOptions, ImageValidatingPolicy } from '../../../src/policy/kyverno/kyverno-types.ts';
import { KyvernoBridge } from '../../../src/reconcilers/kyverno-bridge.ts';
import type { KyvernoBridgeParts } from '../../../src/reconcilers/kyverno-bridge.ts';
import type { PolicyOwner } from '../../../src/reconcilers/kyverno-policies.ts';
import { VirtualClock, settle } from '../kube/virtual-clock.ts';

const options: Omit<ExportOptions, 'version'> = {
  namespaceSelector: { matchLabels: { 'sigstore-policy': 'enforce' } },
  unchangedImages: 'admit',
};

/** Kyverno's policies in memory. */
class Kyverno {
  isInstalled = true;
  fault: AppError | undefined;
  readonly foreign = new Set<string>();
  readonly held = new Map<
    string,
    { readonly policy: ImageValidatingPolicy; readonly owner: PolicyOwner | undefined }
  >();

  readonly policies: KyvernoBridgeParts['policies'] = {
    list: () => {
      if (this.fault !== undefined) return Promise.reject(this.fault);
      if (!this.isInstalled) return Promise.resolve(undefined);
      const objects = [...this.held].map(
        ([name, { policy }]) => [name, policy as unknown as KubeObject] as const,
      );
      return Promise.resolve({ version: 'v1' as const, ours: new Map(objects) });
    },
    put: (policy, owner) => {
      const { name } = policy.metadata;
      if (this.foreign.has(name)) return Promise.resolve('taken' as const);
      this.held.set(name, { policy, owner });
      return Promise.resolve('written' as const);
    },
    remove: ({ metadata }) => {
      this.held.delete(metadata.name);
      return Promise.resolve();
    },
  };
}

describe('keeping policies for Kyverno', () => {
  let clock: VirtualClock;
  let kyverno: Kyverno;
  let register: PolicyRegister;
  let bridge: KyvernoBridge;
  let isOn: boolean;
  let remarked: string[];
  let stop: AbortController;
  let running: Promise<void>;

  beforeEach(() => {
    clock = new VirtualClock();
    kyverno = new Kyverno();
    register = new PolicyRegister();
    isOn = true;
    remarked = [];
    stop = new AbortController();
    bridge = new KyvernoBridge({
      policies: kyverno.policies,
      options: () => (isOn ? options : undefined),
      register,
      findPolicy: objectOf,
      onRemark: (name) => remarked.push(name),
      clock,
      log: silentLog,
    });
  });
  afterEach(async () => {
    stop.abort();
    await running;
  });

  function objectOf(name: string, conditions: readonly object[] = []): KubeObject {
    return {
      apiVersion: 'policy.sigstore.dev/v1alpha1',
      kind: 'ClusterImagePolicy',
      metadata: { name, uid: `uid of ${name}` },
      status: { conditions },
    };
  }

  const policy = (name: string, glob = 'registry.example/**'): CompiledClusterPolicy => ({
    name,
    mode: 'enforce',
    evaluation: 'strict',
    exceptions: 'allowed',
    globs: [compileGlob(glob)],
    match: [],
    authorities: [{ kind: 'static', name: 'all', action: 'pass', message: '' }],
  });
  const put = (name: string, glob?: string): void => {
    register.put({ compiled: policy(name, glob), version: `${name} ${String(glob)}` });
  };
  const start = async (): Promise<void> => {
    running = bridge.run({ signal: stop.signal });
    await settle();
  };
  const pass = async (ms = 1000): Promise<void> => {
    await clock.advance(ms);
    await settle();
  };
  const findingOf = (name: string): readonly string[] =>
    bridge.remarks(objectOf(name)).map(({ status, reason }) => `${status} ${reason}`);

  it('nothing is written or deleted before all policies of the cluster are known', async () => {
    kyverno.held.set('old', {
      policy: { metadata: { name: 'old' } } as ImageValidatingPolicy,
      owner: undefined,
    });
    await start();
    await pass();
    expect([...kyverno.held.keys()]).to.deep.equal(['old']);
    put('new');
    register.complete();
    await pass();
    expect([...kyverno.held.keys()].sort()).to.deep.equal(['chainwright-unmatched', 'new']);
  });

  it('each policy has one of its own, owned by it, and says on it where Kyverno is stricter', async () => {
    put('one');
    register.complete();
    await start();
    expect(kyverno.held.get('one')?.owner).to.deep.equal({
      apiVersion: 'policy.sigstore.dev/v1alpha1',
      kind: 'ClusterImagePolicy',
      name: 'one',
      uid: 'uid of one',
    });
    expect(findingOf('one')).to.deep.equal(['True Exported']);
    expect(bridge.remarks(objectOf('one'))[0]?.message)
      .to.include('image-volumes')
      .and.to.include('static-pass');
    expect(remarked).to.deep.equal(['one']);
  });

  it('a change is passed on soon, a deletion too', async () => {
    put('one');
    put('two');
    register.complete();
    await start();
    put('one', 'other.example/**');
    register.remove('two');
    await pass();
    expect([...kyverno.held.keys()].sort()).to.deep.equal(['chainwright-unmatched', 'one']);
    expect(JSON.stringify(kyverno.held.get('chainwright-unmatched')?.policy)).to.include('other');
  });

  it('images that no policy is about: denied, or not kept out', async () => {
    register.complete();
    await start();
    expect(kyverno.held.get('chainwright-unmatched')?.policy.spec.validationActions).to.deep.equal(['Deny']);
    register.putRules({ noMatch: 'allow' });
    await pass();
    expect(kyverno.held.size).to.equal(0);
  });

  it('a policy that has the name of the catch-all does not keep it out', async () => {
    put('chainwright-unmatched');
    register.complete();
    await start();
    expect([...kyverno.held.keys()].sort()).to.deep.equal([
      'chainwright-unmatched',
      'chainwright-unmatched-2',
    ]);
    expect(kyverno.held.get('chainwright-unmatched')?.owner?.name).to.equal('chainwright-unmatched');
  });

  it('what somebody else removed is back within a minute', async () => {
    put('one');
    register.complete();
    await start();
    kyverno.held.clear();
    await pass(61_000);
    expect(kyverno.held.has('one')).to.equal(true);
  });

  it('without Kyverno nothing happens but a remark; installed later, it is found', async () => {
    kyverno.isInstalled = false;
    put('one');
    register.complete();
    await start();
    expect(findingOf('one')).to.deep.equal(['False KyvernoAbsent']);
    kyverno.isInstalled = true;
    await pass(61_000);
    expect(findingOf('one')).to.deep.equal(['True Exported']);
    kyverno.isInstalled = false;
    await pass(61_000);
    expect(findingOf('one')).to.deep.equal(['False KyvernoAbsent']);
  });

  it('a policy of that name that is not ours is left alone, and named', async () => {
    kyverno.foreign.add('one');
    put('one');
    put('two');
    register.complete();
    await start();
    expect(findingOf('one')).to.deep.equal(['False NameTaken']);
    expect(findingOf('two')).to.deep.equal(['True Exported']);
  });

  it('an API server that refuses is asked again, and the fault told', async () => {
    kyverno.fault = new AppError('ERR_KUBE_FORBIDDEN', 'no', { kind: 'permanent' });
    put('one');
    register.complete();
    await start();
    expect(bridge.remarks(objectOf('one'))[0]?.message).to.equal('ERR_KUBE_FORBIDDEN: no');
    kyverno.fault = undefined;
    await pass(10_000);
    expect(findingOf('one')).to.deep.equal(['True Exported']);
  });

  it('with the setting off, ours go, and the remark says so; on again, they are back', async () => {
    put('one');
    register.complete();
    await start();
    isOn = false;
    bridge.wake();
    await pass();
    expect(kyverno.held.size).to.equal(0);
    expect(findingOf('one')).to.deep.equal([]);
    const told = objectOf('one', [
      {
        type: 'KyvernoExported',
        status: 'True',
        reason: 'Exported',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      },
    ]);
    expect(bridge.remarks(told).map(({ reason }) => reason)).to.deep.equal(['SwitchedOff']);
    isOn = true;
    bridge.wake();
    await pass();
    expect(kyverno.held.has('one')).to.equal(true);
  });

  it('with the setting off and no right to look, nothing happens', async () => {
    isOn = false;
    kyverno.fault = new AppError('ERR_KUBE_FORBIDDEN', 'no', { kind: 'permanent' });
    put('one');
    register.complete();
    await start();
    await pass(600_000);
    expect(findingOf('one')).to.deep.equal([]);
  });
});
