import { expect } from 'chai';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { AppError } from '../../../src/model/errors.ts';
import { PolicyScene, authorities, newPublicKey, passing, specOf, trustRootOf } from './policy-scene.ts';

const { trustRoots } = resourceTypes;
const { secret, keyless, cue } = authorities;
const url = 'https://policies.example/sbom.cue';
const remote = cue({ remote: { url, sha256sum: 'ab'.repeat(32) } });

describe('what policies refer to outside the cluster, and trust roots', () => {
  let scene: PolicyScene;

  beforeEach(() => {
    scene = new PolicyScene();
  });
  afterEach(() => scene.stop());

  describe('a server outside the cluster', () => {
    it('that is away makes a new policy deny, until it is back', async () => {
      await scene.start();
      await scene.putPolicy('one', specOf(remote));
      expect(scene.inForce('one').compiled.fault?.message).to.equal(`${url} is away`);
      expect(scene.condition('one')).to.match(/^False Unavailable: .*is away/);
      const before = scene.inForce('one');
      await scene.wait(10_000);
      expect(scene.inForce('one'), 'the same fault is no news').to.equal(before);
      scene.outside.set(url, 'a: 1');
      await scene.wait(60_000);
      expect(scene.inForce('one').compiled.fault).to.equal(undefined);
      expect(scene.reasons()).to.deep.equal(['PolicyBroken', 'PolicyInForce']);
    });

    it('that goes away later leaves the policy in force as it was, and the condition says so', async () => {
      scene.outside.set(url, 'a: 1');
      await scene.putPolicy('one', specOf(remote));
      const follower = await scene.start();
      const before = scene.inForce('one');
      scene.outside.delete(url);
      await scene.wait(3_700_000);
      expect(scene.inForce('one')).to.equal(before);
      expect(scene.condition('one')).to.match(/^True Stale: in force as it was compiled last; .*is away/);
      expect(follower.counts()).to.deep.equal({ inForce: 0, stale: 1, broken: 0 });
      scene.outside.set(url, 'a: 1');
      await scene.wait(600_000);
      expect(scene.inForce('one')).to.equal(before);
      expect(scene.condition('one')).to.match(/^True InForce/);
      expect(scene.reasons()).to.deep.equal(['PolicyInForce', 'PolicyStale', 'PolicyInForce']);
    });

    it('that is away takes no compiled part of a policy into memory, again and again', async () => {
      await scene.start();
      await scene.putPolicy('one', specOf(cue({ data: 'a: 1' }), remote));
      await scene.wait(600_000);
      expect(scene.engine.compiled).to.be.above(3);
      expect(scene.engine.held).to.equal(0);
    });

    it('that goes away leaves a broken policy broken', async () => {
      scene.outside.set(url, new AppError('ERR_POLICY_REFERENCE', 'another sum', { kind: 'permanent' }));
      await scene.putPolicy('one', specOf(remote));
      const follower = await scene.start();
      scene.outside.delete(url);
      await scene.wait(300_000);
      expect(scene.condition('one')).to.match(/^False Unavailable/);
      expect(follower.counts()).to.deep.equal({ inForce: 0, stale: 0, broken: 1 });
    });

    it('that is away keeps no key in use that was taken out of a Secret', async () => {
      scene.outside.set(url, 'a: 1');
      await scene.putSecret('key', { pub: newPublicKey() });
      await scene.putPolicy('one', specOf(secret('key'), remote));
      await scene.start();
      const before = scene.inForce('one').version;
      scene.outside.delete(url);
      await scene.wait(3_700_000);
      await scene.putSecret('key', { pub: newPublicKey() });
      expect(scene.inForce('one').version).not.to.equal(before);
      expect(scene.condition('one')).to.match(/^True Stale/);
    });

    it('that gives something else makes the policy deny, and is asked again', async () => {
      scene.outside.set(url, 'a: 1');
      await scene.putPolicy('one', specOf(remote));
      await scene.start();
      scene.outside.set(url, new AppError('ERR_POLICY_REFERENCE', 'another sum', { kind: 'permanent' }));
      await scene.wait(3_700_000);
      expect(scene.inForce('one').compiled.fault?.message).to.equal('another sum');
      expect(scene.condition('one')).to.match(
        /\(spec\.authorities\[0\]\.attestations\[0\]\.policy\.remote\)$/,
      );
      scene.outside.set(url, 'a: 1');
      await scene.wait(300_000);
      expect(scene.inForce('one').compiled.fault).to.equal(undefined);
    });

    it('a KMS gives the key, and another one makes another version', async () => {
      const kms = 'gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k/versions/1';
      scene.outside.set(kms, newPublicKey());
      await scene.putPolicy('one', specOf({ key: { kms } }));
      await scene.start();
      const { version, compiled } = scene.inForce('one');
      expect(compiled.fault).to.equal(undefined);
      scene.outside.set(kms, newPublicKey());
      await scene.wait(3_700_000);
      expect(scene.inForce('one').version).not.to.equal(version);
    });
  });

  describe('a trust root', () => {
    const named = specOf(keyless({ trustRootRef: 'ours' }));

    it('that is absent makes policies deny that name it, until it appears', async () => {
      await scene.putPolicy('one', named);
      await scene.start();
      expect(scene.condition('one')).to.match(
        /^False TrustRootFailed: .*trustRootRef ours not found.*keyless\.trustRootRef\)$/,
      );
      await scene.putTrustRoot('ours', trustRootOf('1'));
      expect(scene.inForce('one').compiled.fault).to.equal(undefined);
      expect(scene.condition('ours', 'Ready', trustRoots)).to.match(/^True Loaded/);
    });

    it('changes the version of policies that name it, and of no others', async () => {
      await scene.putPolicy('one', named);
      await scene.putPolicy('two', specOf(keyless()));
      await scene.putTrustRoot('ours', trustRootOf('1'));
      await scene.start();
      const [one, two] = [scene.inForce('one').version, scene.inForce('two').version];
      await scene.putTrustRoot('ours', trustRootOf('2'), { changed: true });
      expect(scene.inForce('one').version).not.to.equal(one);
      expect(scene.inForce('two').version).to.equal(two);
    });

    it('is loaded anew now and then, and serves on while its mirror is away', async () => {
      await scene.putPolicy('one', named);
      await scene.putTrustRoot('ours', trustRootOf('1'));
      await scene.start();
      const before = scene.inForce('one').version;
      scene.roots.set('ours', passing('the mirror is away'));
      await scene.wait(7_300_000);
      expect(scene.condition('ours', 'Ready', trustRoots)).to.match(/^True Stale: .*the mirror is away/);
      expect(scene.inForce('one').version).to.equal(before);
      scene.roots.set('ours', trustRootOf('2'));
      await scene.wait(600_000);
      expect(scene.inForce('one').version).not.to.equal(before);
    });

    it('that is not to be trusted any more makes policies deny', async () => {
      await scene.putPolicy('one', named);
      await scene.putTrustRoot('ours', trustRootOf('1'));
      await scene.start();
      scene.roots.set('ours', new AppError('ERR_TUF_EXPIRED', 'it expired', { kind: 'permanent' }));
      await scene.wait(7_300_000);
      expect(scene.inForce('one').compiled.fault?.message).to.match(
        /trustRootRef ours cannot be used: it expired/,
      );
      expect(scene.condition('ours', 'Ready', trustRoots)).to.match(/^False Invalid: ERR_TUF_EXPIRED/);
    });

    it('that says something else is no trust root before it is loaded', async () => {
      await scene.putPolicy('one', named);
      await scene.putTrustRoot('ours', trustRootOf('1'));
      await scene.start();
      await scene.putTrustRoot('ours', passing('away'), { changed: true });
      expect(scene.inForce('one').compiled.fault?.code).to.equal('ERR_POLICY_REFERENCE');
      expect(scene.condition('ours', 'Ready', trustRoots)).to.match(/^False Unavailable/);
    });

    it('that is deleted makes policies deny', async () => {
      await scene.putPolicy('one', named);
      await scene.putTrustRoot('ours', trustRootOf('1'));
      await scene.start();
      scene.cluster.remove(trustRoots, { name: 'ours' });
      await scene.settle();
      expect(scene.inForce('one').compiled.fault?.message).to.match(/trustRootRef ours not found/);
    });

    it('is let go by policy-controller when it is deleted', async () => {
      await scene.start();
      scene.roots.set('ours', trustRootOf('1'));
      const finalizers = ['trustroots.policy.sigstore.dev'];
      const metadata = { name: 'ours', finalizers, deletionTimestamp: '2026-01-01T00:00:00Z' };
      scene.cluster.put(trustRoots, { metadata, spec: {} });
      await scene.settle();
      expect(scene.cluster.find(trustRoots, { name: 'ours' })).to.equal(undefined);
    });

    it('that the settings name counts where a policy names none', async () => {
      scene.defaultTrustRoot = 'ours';
      await scene.putPolicy('one', specOf(keyless()));
      await scene.start();
      expect(scene.inForce('one').compiled.fault?.code).to.equal('ERR_POLICY_REFERENCE');
      await scene.putTrustRoot('ours', trustRootOf('1'));
      expect(scene.inForce('one').compiled.fault).to.equal(undefined);
    });

    it('from elsewhere is asked for only if a policy needs it', async () => {
      let asked = 0;
      scene.defaultTrustRoot = () => {
        asked += 1;
        return Promise.resolve(trustRootOf('default'));
      };
      await scene.putPolicy('one', named);
      await scene.start();
      expect(asked).to.equal(0);
      await scene.putPolicy('two', specOf(keyless()));
      expect(asked).to.equal(1);
    });
  });
});
