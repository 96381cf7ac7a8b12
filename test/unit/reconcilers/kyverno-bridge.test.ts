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
import { evaluateCel } from '../policy/kyverno/cel-evaluator.ts';

const options: Omit<ExportOptions, 'version'> = {
  namespaceSelector: { matchLabels: { 'sigstore-policy': 'enforce' } },
  unchangedImages: 'admit',
  exceptions: 'off',
};

/** Kyverno's policies in memory. */
class Kyverno {
  isInstalled = true;
  fault: AppError | undefined;
  readonly foreign = new Set<string>();
  /** What writing a policy of that name throws. */
  readonly faults = new Map<string, AppError>();
  /** Policies that somebody else wrote after us. */
  readonly altered = new Set<string>();
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
      const fault = this.faults.get(name);
      if (fault !== undefined) return Promise.reject(fault);
      if (this.foreign.has(name)) return Promise.resolve('taken' as const);
      this.held.set(name, { policy, owner });
      return Promise.resolve('written' as const);
    },
    remove: ({ metadata }) => {
      this.held.delete(metadata.name);
      return Promise.resolve();
    },
    isAsWritten: ({ metadata }) => !this.altered.has(metadata.name),
  };

  /** Whether a policy that is none of a ClusterImagePolicy denies an image. */
  deniesBeside(image: string): boolean {
    const guards = [...this.held.values()].filter(({ owner }) => owner === undefined);
    return guards.some(({ policy }) => {
      const check = policy.spec.validations.at(-1)?.expression ?? '';
      const [, scope = ''] =
        /^images\.containers\.all\(i, cel\.bind\(n, .*?\.digest\(\), (.*)\)\)$/.exec(check) ?? [];
      return policy.spec.validationActions.includes('Deny') && evaluateCel(scope, { n: image }) !== true;
    });
  }
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

  const policy = (
    name: string,
    glob = 'registry.example/**',
    mode: CompiledClusterPolicy['mode'] = 'enforce',
  ): CompiledClusterPolicy => ({
    name,
    mode,
    evaluation: 'strict',
    exceptions: 'allowed',
    globs: [compileGlob(glob)],
    match: [],
    authorities: [{ kind: 'static', name: 'all', action: 'pass', message: '' }],
  });
  const put = (name: string, glob?: string, mode?: CompiledClusterPolicy['mode']): void => {
    register.put({ compiled: policy(name, glob, mode), version: `${name} ${String(glob)}` });
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
  const messageOf = (name: string): string | undefined => bridge.remarks(objectOf(name))[0]?.message;
  const refused = new AppError('ERR_KUBE_REFUSED', 'no', { kind: 'permanent' });
  const imageOf = (host: string): string => `${host}/app@sha256:${'a'.repeat(64)}`;

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

  it('a policy of that name that is not ours is left alone, and named; what only ours would check is denied', async () => {
    kyverno.foreign.add('one');
    put('one', 'one.example/**');
    put('two', 'two.example/**');
    register.complete();
    await start();
    expect(findingOf('one')).to.deep.equal(['False NameTaken']);
    expect(messageOf('one')).to.include('Kyverno denies those of its images');
    expect(findingOf('two')).to.deep.equal(['True Exported']);
    expect(kyverno.deniesBeside(imageOf('one.example'))).to.equal(true);
    expect(kyverno.deniesBeside(imageOf('two.example'))).to.equal(false);
    kyverno.foreign.clear();
    await pass(61_000);
    expect(findingOf('one')).to.deep.equal(['True Exported']);
    expect(kyverno.deniesBeside(imageOf('one.example'))).to.equal(false);
    expect(kyverno.held.has('chainwright-unchecked')).to.equal(false);
  });

  it('images of a policy that is not written are denied though another policy is about them, or any is let in', async () => {
    kyverno.faults.set('strict', refused);
    put('lax', '**');
    put('strict', 'one.example/**');
    register.complete();
    await start();
    expect(findingOf('strict')).to.deep.equal(['False NotWritten']);
    expect(kyverno.deniesBeside(imageOf('one.example'))).to.equal(true);
    expect(kyverno.deniesBeside(imageOf('two.example'))).to.equal(false);
    register.putRules({ noMatch: 'allow' });
    await pass();
    expect(kyverno.deniesBeside(imageOf('one.example'))).to.equal(true);
    kyverno.faults.clear();
    await pass(61_000);
    expect(findingOf('strict')).to.deep.equal(['True Exported']);
    expect([...kyverno.held.keys()].sort()).to.deep.equal(['lax', 'strict']);
  });

  it('a policy that only warns and is not written denies nothing', async () => {
    kyverno.faults.set('one', refused);
    put('one', 'one.example/**', 'warn');
    register.complete();
    await start();
    expect(kyverno.deniesBeside(imageOf('one.example'))).to.equal(false);
  });

  it('of a change that cannot be written, the images that Kyverno holds no check for are denied', async () => {
    put('one', '*.example/app@*');
    put('warned', 'warned.test/**', 'warn');
    register.complete();
    await start();
    for (const name of ['one', 'warned']) kyverno.faults.set(name, refused);
    put('one', '**.example/**');
    put('warned', 'warned.test/**');
    await pass();
    expect(findingOf('one')).to.deep.equal(['False NotWritten']);
    expect(messageOf('one')).to.include('ERR_KUBE_REFUSED: no; Kyverno goes on with the policy as it was');
    expect(kyverno.deniesBeside(imageOf('a.example')), 'as held').to.equal(false);
    expect(kyverno.deniesBeside(imageOf('a.example/team')), 'new').to.equal(true);
    expect(kyverno.deniesBeside(imageOf('warned.test')), 'held, but with a warning only').to.equal(true);
    put('one', 'a.example/app@*');
    await pass();
    expect(kyverno.deniesBeside(imageOf('b.example')), 'no longer').to.equal(true);
    kyverno.altered.add('one');
    await pass(61_000);
    expect(kyverno.deniesBeside(imageOf('a.example')), 'changed by somebody').to.equal(true);
  });

  it('where somebody has the name of the catch-all, it takes another', async () => {
    kyverno.foreign.add('chainwright-unmatched');
    put('one', 'one.example/**');
    register.complete();
    await start();
    expect([...kyverno.held.keys()].sort()).to.deep.equal(['chainwright-unmatched-2', 'one']);
    expect(findingOf('one')).to.deep.equal(['True Exported']);
    expect(kyverno.deniesBeside(imageOf('two.example'))).to.equal(true);
  });

  it('a catch-all that cannot be written is named on every policy, and what it counts on stays', async () => {
    put('one', 'one.example/**');
    put('two', 'two.example/**');
    register.complete();
    await start();
    kyverno.faults.set('chainwright-unmatched', refused);
    register.remove('two');
    await pass();
    expect(findingOf('one')).to.deep.equal(['False LeftOpen']);
    expect(messageOf('one')).to.include('images that no policy there checks: ERR_KUBE_REFUSED: no');
    expect(kyverno.held.has('two')).to.equal(true);
    kyverno.faults.clear();
    await pass(61_000);
    expect(findingOf('one')).to.deep.equal(['True Exported']);
    expect(kyverno.held.has('two')).to.equal(false);
  });

  it('so is one that finds no free name', async () => {
    kyverno.foreign.add('chainwright-unmatched');
    for (let number = 2; number < 20; number += 1) kyverno.foreign.add(`chainwright-unmatched-${number}`);
    kyverno.foreign.add('two');
    put('one');
    put('two');
    register.complete();
    await start();
    expect(findingOf('one')).to.deep.equal(['False LeftOpen']);
    expect(findingOf('two')).to.deep.equal(['False NameTaken']);
    expect(messageOf('two')).to.include('chainwright-unmatched-2').and.to.include('rename');
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
