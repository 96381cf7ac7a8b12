import { expect } from 'chai';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { AppError } from '../../../src/model/errors.ts';
import { matchesGlob } from '../../../src/policy/image-glob.ts';
import { timeoutFault } from '../../../src/policy/evaluation/evaluation-faults.ts';
import { PolicyRegister } from '../../../src/policy/policy-register.ts';
import { PolicyScene, authorities, namespace, newPublicKey, specOf, trustRootOf } from './policy-scene.ts';

const { clusterImagePolicies, secrets } = resourceTypes;
const { secret, keyless, cue } = authorities;
const url = 'https://policies.example/sbom.cue';
const remote = cue({ remote: { url, sha256sum: 'ab'.repeat(32) } });
const image = `registry.example/app@sha256:${'a'.repeat(64)}`;

describe('following policies', () => {
  let scene: PolicyScene;

  beforeEach(() => {
    scene = new PolicyScene();
  });
  afterEach(() => scene.stop());

  describe('at the start', () => {
    it('lets nothing be judged before all kinds are listed', async () => {
      scene.cluster.silent.add('trustroots');
      await scene.putPolicy('one', specOf(keyless()));
      const follower = await scene.start();
      expect(scene.register.inForce).to.equal(undefined);
      expect(follower.isSynced).to.equal(false);
      expect(follower.findUnready()).to.equal('TrustRoots are not listed yet');
    });

    it('is complete once each policy was compiled or found broken', async () => {
      await scene.putPolicy('good', specOf(keyless()));
      await scene.putPolicy('bad', specOf(keyless({ trustRootRef: 'absent' })));
      await scene.putPolicy('away', specOf(remote));
      const follower = await scene.start();
      expect(follower.findUnready()).to.equal(undefined);
      expect(scene.register.inForce?.policies.map(({ compiled }) => compiled.name)).to.have.members([
        'good',
        'bad',
        'away',
      ]);
      expect(follower.counts()).to.deep.equal({ inForce: 1, stale: 0, broken: 2 });
    });

    it('loads trust roots before the policies that name them, so that none is found broken', async () => {
      await scene.putPolicy('one', specOf(keyless({ trustRootRef: 'ours' })));
      await scene.putTrustRoot('ours', trustRootOf('1'));
      await scene.start();
      expect(scene.inForce('one').compiled.fault).to.equal(undefined);
      expect(scene.reasons()).to.deep.equal(['TrustRootLoaded', 'PolicyInForce']);
    });

    it('does not wait longer than 3 s for a trust root', async () => {
      await scene.putPolicy('one', specOf(keyless({ trustRootRef: 'slow' })));
      await scene.putPolicy('two', specOf(keyless()));
      await scene.putTrustRoot('slow', trustRootOf('1'));
      const gate = Promise.withResolvers<undefined>();
      scene.beforeLoading = gate.promise;
      const follower = await scene.start();
      await scene.wait(2900);
      expect(follower.findUnready()).to.equal('1 TrustRoots are not loaded yet');
      await scene.wait(100);
      expect(follower.findUnready()).to.equal(undefined);
      expect(scene.inForce('two').compiled.fault).to.equal(undefined);
      expect(scene.inForce('one').compiled.fault?.message).to.match(
        /slow cannot be used: it is not loaded yet$/,
      );
      gate.resolve(undefined);
      await scene.settle();
      expect(scene.inForce('one').compiled.fault).to.equal(undefined);
    });

    it('has policies deny that are not compiled after 5 s with ERR_POLICY_PENDING, until they are', async () => {
      const names = Array.from({ length: 8 }, (_, at) => `slow-${at}`);
      const gate = Promise.withResolvers<undefined>();
      scene.outside.set(url, 'a: 1');
      scene.beforeFetching = gate.promise;
      for (const name of names) await scene.putPolicy(name, specOf(remote));
      await scene.putPolicy('good', specOf(keyless()));
      const follower = await scene.start();
      await scene.wait(1900);
      expect(follower.findUnready()).to.equal('8 ClusterImagePolicies are not compiled yet');
      await scene.wait(100);
      expect(follower.findUnready()).to.equal(undefined);
      expect(scene.inForce('good').compiled.fault).to.equal(undefined);
      expect(follower.counts()).to.deep.equal({ inForce: 1, stale: 0, broken: 8 });
      const { compiled, version } = scene.inForce('slow-0');
      expect(compiled.fault?.code).to.equal('ERR_POLICY_PENDING');
      expect(compiled.globs.some((glob) => matchesGlob(glob, image))).to.equal(true);
      expect(scene.condition('slow-7')).to.match(/^False Unavailable: denies .*still being compiled/);
      gate.resolve(undefined);
      await scene.settle();
      for (const name of names) expect(scene.inForce(name).compiled.fault).to.equal(undefined);
      expect(scene.inForce('slow-0').version).not.to.equal(version);
      expect(scene.condition('slow-7')).to.match(/^True InForce/);
      expect(follower.counts()).to.deep.equal({ inForce: 9, stale: 0, broken: 0 });
    });

    it('lets nothing be judged if it is stopped halfway', async () => {
      scene.engine.before = new Promise(() => undefined);
      await scene.putPolicy('one', specOf(cue({ data: 'a: 1' })));
      const follower = await scene.start();
      expect(follower.findUnready()).to.equal('1 ClusterImagePolicies are not compiled yet');
      await scene.stop();
      expect(scene.register.inForce).to.equal(undefined);
    });

    it('is complete for a cluster without policies', async () => {
      await scene.start();
      expect(scene.register.inForce?.policies).to.deep.equal([]);
    });
  });

  describe('a policy', () => {
    it('is in force, and says so with the generation that it is about', async () => {
      await scene.start();
      await scene.putPolicy('one', specOf(cue({ data: 'a: 1' })));
      expect(scene.inForce('one').compiled.authorities).to.have.length(1);
      expect(scene.condition('one')).to.equal('True InForce: compiled and in force');
      expect(scene.cluster.find(clusterImagePolicies, { name: 'one' })?.['status']).to.deep.include({
        observedGeneration: 1,
      });
      expect(scene.reasons()).to.deep.equal(['PolicyInForce']);
    });

    it('keeps version and compilation over resyncs, labels and its own status', async () => {
      await scene.putSecret('key', { pub: newPublicKey() });
      await scene.putPolicy('one', specOf(secret('key'), cue({ data: 'a: 1' }), remote));
      scene.outside.set(url, 'b: 1');
      await scene.start();
      const before = scene.inForce('one');
      const writes = scene.cluster.calls.length;
      await scene.putPolicy('one', specOf(secret('key'), cue({ data: 'a: 1' }), remote), {
        labels: { a: 'b' },
      });
      await scene.wait(3_700_000);
      expect(scene.inForce('one')).to.equal(before);
      expect(scene.engine.compiled).to.equal(2);
      expect(scene.cluster.calls).to.have.length(writes);
    });

    it('gets another version for another text, and keeps it for the same text again', async () => {
      await scene.putPolicy('one', specOf(cue({ data: 'a: 1' })));
      await scene.start();
      const first = scene.inForce('one').version;
      await scene.putPolicy('one', specOf(cue({ data: 'a: 2' })));
      expect(scene.inForce('one').version).not.to.equal(first);
      await scene.putPolicy('one', specOf(cue({ data: 'a: 1' })));
      expect(scene.inForce('one').version).to.equal(first);
    });

    it('gets another version for another evaluation annotation', async () => {
      await scene.putPolicy('one', specOf(keyless()));
      await scene.start();
      const first = scene.inForce('one').version;
      const annotations = { 'policy.chainwright.dev/evaluation': 'permissive' };
      await scene.putPolicy('one', specOf(keyless()), { annotations });
      expect(scene.inForce('one').version).not.to.equal(first);
      expect(scene.inForce('one').compiled.evaluation).to.equal('permissive');
    });

    it('has the same version in every replica', async () => {
      await scene.putPolicy('one', specOf(cue({ data: 'a: 1' }), keyless()));
      await scene.start();
      const other = new PolicyRegister();
      await scene.start(other);
      expect(other.find('one')?.version).to.equal(scene.inForce('one').version);
    });

    it('that was made anew under its name gets another version', async () => {
      await scene.putPolicy('one', specOf(keyless()));
      await scene.start();
      const first = scene.inForce('one').version;
      scene.cluster.remove(clusterImagePolicies, { name: 'one' });
      await scene.settle();
      expect(scene.register.find('one')).to.equal(undefined);
      await scene.putPolicy('one', specOf(keyless()));
      expect(scene.inForce('one').version).not.to.equal(first);
    });

    it('is let go by policy-controller when it is deleted, and by nobody else', async () => {
      const finalizers = ['clusterimagepolicies.policy.sigstore.dev', 'example.com/keep'];
      await scene.putPolicy('one', specOf(keyless()), { finalizers });
      await scene.start();
      expect(scene.cluster.countOf('patch')).to.equal(0);
      const deletionTimestamp = '2026-01-01T00:00:00Z';
      await scene.putPolicy('one', specOf(keyless()), { finalizers, deletionTimestamp });
      const held = scene.cluster.find(clusterImagePolicies, { name: 'one' });
      expect(held?.metadata.finalizers).to.deep.equal(['example.com/keep']);
      expect(scene.inForce('one').compiled.fault, 'until it is gone').to.equal(undefined);
    });
  });

  describe('a broken policy', () => {
    it('with text that does not compile denies what it is about, naming the place', async () => {
      await scene.start();
      await scene.putPolicy('one', specOf(cue({ data: 'broken' })));
      const { compiled } = scene.inForce('one');
      expect(compiled.fault?.code).to.equal('ERR_POLICY_COMPILE');
      expect(compiled.globs.some((glob) => matchesGlob(glob, image))).to.equal(true);
      expect(scene.condition('one')).to.match(
        /^False InliningPoliciesFailed: .*attestation sbom: .*line 1, column 3/,
      );
      expect(scene.condition('one', 'PoliciesInlined')).to.match(/^False /);
      expect(scene.reasons()).to.deep.equal(['PolicyBroken']);
    });

    it('is mended by a text that compiles', async () => {
      await scene.putPolicy('one', specOf(cue({ data: 'broken' })));
      await scene.start();
      await scene.putPolicy('one', specOf(cue({ data: 'a: 1' })));
      expect(scene.inForce('one').compiled.fault).to.equal(undefined);
      expect(scene.condition('one')).to.match(/^True InForce/);
    });

    it('is not compiled again while nothing changes', async () => {
      await scene.putPolicy('one', specOf(cue({ data: 'broken' })));
      await scene.start();
      await scene.wait(8_000_000);
      expect(scene.engine.compiled).to.equal(1);
    });

    it('that no webhook checked denies its globs with ERR_POLICY_INVALID', async () => {
      await scene.start();
      await scene.putPolicy('one', {
        ...specOf({ oops: true }),
        mode: 'warn',
        match: [{ resource: 'pods' }],
      });
      const { compiled } = scene.inForce('one');
      expect(compiled.fault?.code).to.equal('ERR_POLICY_INVALID');
      expect(compiled.globs.map(({ source }) => source)).to.deep.equal(['registry.example/**']);
      expect(compiled.match).to.deep.equal([{ resource: 'pods' }]);
      expect(compiled.mode).to.equal('warn');
      expect(scene.condition('one')).to.match(/^False Invalid: .*unknown field "oops"/s);
    });

    it('whose globs and rules cannot be read denies every image in every object', async () => {
      await scene.start();
      await scene.putPolicy('one', {
        images: [{ glob: 'a/**' }, { glob: '$' }],
        match: [{ resource: 'apples' }],
        mode: 'audit',
      });
      const { compiled } = scene.inForce('one');
      expect(compiled.globs.some((glob) => matchesGlob(glob, image))).to.equal(true);
      expect(compiled.match).to.deep.equal([]);
      expect(compiled.mode).to.equal('enforce');
    });

    it('for another reason of the same kind says so, without another Event', async () => {
      await scene.start();
      await scene.putPolicy('one', specOf(secret('a')));
      await scene.putPolicy('one', specOf(secret('b')));
      expect(scene.condition('one')).to.match(/secret "b" not found/);
      expect(scene.reasons()).to.deep.equal(['PolicyBroken']);
    });

    it('lets go of a part that is compiled only after another one failed', async () => {
      const gate = Promise.withResolvers<undefined>();
      scene.engine.before = gate.promise;
      await scene.start();
      await scene.putPolicy('one', specOf(cue({ data: 'a: 1' }), cue({ data: 'broken' })));
      expect(scene.inForce('one').compiled.fault?.code).to.equal('ERR_POLICY_COMPILE');
      gate.resolve(undefined);
      await scene.settle();
      expect(scene.engine.compiled).to.equal(2);
      expect(scene.engine.held).to.equal(0);
    });

    it('leaves no evaluators behind', async () => {
      await scene.putPolicy('one', specOf(cue({ data: 'a: 1' }), cue({ data: 'broken' })));
      await scene.start();
      expect(scene.engine.held).to.equal(0);
    });
  });

  describe('what a policy refers to', () => {
    it('is named where it is missing, and mends the policy when it appears', async () => {
      await scene.start();
      await scene.putPolicy('one', specOf(secret('key')));
      expect(scene.condition('one')).to.match(
        /^False InliningKeysFailed: .*ERR_POLICY_REFERENCE: secret "key" not found.*\(spec\.authorities\[0\]\.key\.secretRef\)$/,
      );
      await scene.putSecret('key', { pub: newPublicKey() });
      expect(scene.inForce('one').compiled.fault).to.equal(undefined);
      expect(scene.condition('one')).to.match(/^True InForce/);
    });

    it('changes the version when it changes, and not when something else does', async () => {
      await scene.putSecret('key', { pub: newPublicKey() });
      await scene.putConfigMap('texts', { sbom: 'a: 1' });
      await scene.putPolicy(
        'one',
        specOf(secret('key'), cue({ configMapRef: { name: 'texts', key: 'sbom' } })),
      );
      await scene.start();
      const first = scene.inForce('one').version;
      await scene.putSecret('other', { pub: newPublicKey() });
      await scene.putConfigMap('texts', { sbom: 'a: 1', other: 'b' });
      expect(scene.inForce('one').version).to.equal(first);
      await scene.putConfigMap('texts', { sbom: 'a: 2' });
      const second = scene.inForce('one').version;
      expect(second).not.to.equal(first);
      await scene.putSecret('key', { pub: newPublicKey() });
      expect(scene.inForce('one').version).not.to.equal(second);
    });

    it('denies again once it is gone', async () => {
      await scene.putSecret('key', { pub: newPublicKey() });
      await scene.putPolicy('one', specOf(secret('key')));
      await scene.start();
      scene.cluster.remove(secrets, { namespace, name: 'key' });
      await scene.settle();
      expect(scene.inForce('one').compiled.fault?.message).to.equal('secret "key" not found');
    });

    it('counts as it is, though it changed while the policy was being compiled', async () => {
      await scene.putSecret('key', { pub: newPublicKey() });
      await scene.start();
      const gate = Promise.withResolvers<undefined>();
      scene.engine.before = gate.promise;
      await scene.putPolicy('one', specOf(secret('key'), cue({ data: 'a: 1' })));
      await scene.putSecret('key', { pub: newPublicKey() });
      gate.resolve(undefined);
      await scene.settle();
      const replica = new PolicyRegister();
      await scene.start(replica);
      expect(scene.inForce('one').version).to.equal(replica.find('one')?.version);
    });

    it('is asked for one by one if it was there before a policy named it', async () => {
      await scene.putSecret('key', { pub: newPublicKey() });
      await scene.start();
      await scene.putPolicy('one', specOf(secret('key')));
      expect(scene.inForce('one').compiled.fault).to.equal(undefined);
      expect(scene.cluster.countOf('get')).to.equal(1);
    });
  });

  describe('mishaps', () => {
    it('a status that cannot be written is written later; the policy counts at once', async () => {
      await scene.start();
      scene.cluster.failNext('apply status', 'ERR_KUBE_UNREACHABLE');
      await scene.putPolicy('one', specOf(keyless()));
      expect(scene.inForce('one').compiled.fault).to.equal(undefined);
      expect(scene.condition('one')).to.equal('none');
      await scene.wait(5000);
      expect(scene.condition('one')).to.match(/^True InForce/);
      expect(scene.reasons()).to.deep.equal(['PolicyInForce']);
    });

    it('a Secret that may not be read is asked for again, since nobody tells of granted rights', async () => {
      await scene.putSecret('key', { pub: newPublicKey() });
      await scene.start();
      scene.cluster.failNext('get', 'ERR_KUBE_FORBIDDEN');
      await scene.putPolicy('one', specOf(secret('key')));
      expect(scene.condition('one')).to.match(/^False InliningKeysFailed: .*ERR_KUBE_FORBIDDEN/);
      await scene.wait(300_000);
      expect(scene.inForce('one').compiled.fault).to.equal(undefined);
    });

    it('a default trust root that cannot be read is asked for again', async () => {
      let root: AppError | undefined = new AppError('ERR_TRUST_ROOT', 'no such file', { kind: 'permanent' });
      scene.defaultTrustRoot = () =>
        root === undefined ? Promise.resolve(trustRootOf('default')) : Promise.reject(root);
      await scene.putPolicy('one', specOf(keyless()));
      await scene.start();
      expect(scene.condition('one')).to.match(/^False TrustRootFailed: .*no such file/);
      root = undefined;
      await scene.wait(300_000);
      expect(scene.inForce('one').compiled.fault).to.equal(undefined);
    });

    it('an engine that fails makes a new policy deny, and is asked again', async () => {
      await scene.start();
      const { compile } = scene.engine;
      Object.assign(scene.engine, { compile: () => Promise.reject(new Error('out of memory')) });
      await scene.putPolicy('one', specOf(cue({ data: 'a: 1' })));
      expect(scene.inForce('one').compiled.fault?.code).to.equal('ERR_POLICY_COMPILATION');
      Object.assign(scene.engine, { compile });
      await scene.wait(5000);
      expect(scene.inForce('one').compiled.fault).to.equal(undefined);
    });

    it('a policy that was not compiled in time denies, and is compiled once more a minute later', async () => {
      await scene.start();
      const { compile } = scene.engine;
      Object.assign(scene.engine, { compile: () => Promise.reject(timeoutFault('compiling', 5000)) });
      await scene.putPolicy('one', specOf(cue({ data: 'a: 1' })));
      expect(scene.inForce('one').compiled.fault?.code).to.equal('ERR_POLICY_TIMEOUT');
      Object.assign(scene.engine, { compile });
      await scene.wait(60_000);
      expect(scene.inForce('one').compiled.fault).to.equal(undefined);
      expect(scene.condition('one')).to.match(/^True InForce/);
    });

    it('of two replicas one writes the status and tells the Event', async () => {
      await scene.start();
      await scene.start(new PolicyRegister());
      await scene.putPolicy('one', specOf(keyless()));
      await scene.putPolicy('one', specOf(cue({ data: 'broken' })));
      await scene.wait(10_000_000);
      expect(scene.reasons()).to.deep.equal(['PolicyInForce', 'PolicyBroken']);
      expect(scene.lines.filter((line) => line.includes('tried again'))).to.deep.equal([]);
    });
  });

  it('releases evaluators once no review can be using them any more', async () => {
    await scene.putPolicy('one', specOf(cue({ data: 'a: 1' })));
    await scene.start();
    await scene.putPolicy('one', specOf(cue({ data: 'a: 2' })));
    expect(scene.engine.held).to.equal(2);
    await scene.wait(30_000);
    expect(scene.engine.held, 'after the longest review').to.equal(2);
    await scene.wait(31_000);
    expect(scene.engine.held).to.equal(1);
    scene.cluster.remove(clusterImagePolicies, { name: 'one' });
    await scene.settle();
    await scene.wait(61_000);
    expect(scene.engine.held).to.equal(0);
  });

  it('takes the rule for unmatched images from the ConfigMap, and denies whatever it does not know', async () => {
    await scene.start();
    const rule = (): string | undefined => scene.register.inForce?.rules.noMatch;
    expect(rule()).to.equal('deny');
    for (const [given, expected] of Object.entries({
      allow: 'allow',
      warn: 'warn',
      deny: 'deny',
      maybe: 'deny',
    })) {
      await scene.putConfigMap('config-policy-controller', { 'no-match-policy': given });
      expect(rule(), given).to.equal(expected);
    }
    expect(scene.lines.join('\n')).to.include('is \\"maybe\\", which is none');
  });

  it('stalls only when nothing is heard of a reachable API server', async () => {
    const follower = await scene.start();
    expect(follower.findStall()).to.equal(undefined);
    await scene.wait(700_000);
    expect(follower.findStall()).to.match(/no word of ClusterImagePolicies/);
  });
});
