import { expect } from 'chai';
import type { AdmissionScene } from '../support/admission-scene.ts';
import { openAdmissionScene } from '../support/admission-scene.ts';
import type { PushedImage } from '../support/images.ts';
import type { KubeObject } from '../support/kube-api.ts';
import { policiesPath } from '../support/runbook-policy.ts';
import { waitFor } from '../support/waiting.ts';

interface Policy extends KubeObject {
  readonly status: {
    readonly conditions: readonly { type: string; status: string; reason: string; message: string }[];
  };
}

describe('when something at the door is broken', function () {
  let scene: AdmissionScene;
  let good: PushedImage;

  before(async () => {
    scene = await openAdmissionScene('failures');
    good = await scene.built('good');
  });

  after(async () => {
    await scene[Symbol.asyncDispose]();
  });

  const policyWith = (name: string, policy: object): object => ({
    apiVersion: 'policy.sigstore.dev/v1alpha1',
    kind: 'ClusterImagePolicy',
    metadata: { name, labels: scene.checked },
    spec: {
      images: [{ glob: `${scene.repository}@${good.digest}` }],
      authorities: [{ static: { action: 'pass' } }],
      policy,
    },
  });
  const expectAdmitted = async (what: string): Promise<void> => {
    await waitFor(
      async () => {
        const { refusal } = await scene.createPod(good.ref);
        if (refusal === undefined) return true;
        throw new Error(refusal.message);
      },
      { what, timeoutMs: 60_000 },
    );
  };

  it('a policy that cannot be used denies what it is about, and says why; mended, it lets in again', async () => {
    const name = `broken-${scene.enforced}`;
    const configMapRef = { name: 'rules', key: 'policy.cue' };
    const applied = (await scene.applyPolicy(policyWith(name, { type: 'cue', configMapRef }))) as Policy;
    const ready = applied.status.conditions.find(({ type }) => type === 'Ready');
    expect(ready?.status).to.equal('False');
    expect(`${ready?.reason} ${ready?.message}`).to.include('rules');
    const { refusal } = await scene.createPod(good.ref);
    expect(refusal?.message).to.include(name).and.include('the policy itself is broken');
    await scene.api.create(`/api/v1/namespaces/${scene.webhook.namespace}/configmaps`, {
      metadata: { name: 'rules' },
      data: { 'policy.cue': 'import "list"\nauthorityMatches: "authority-0": static: true' },
    });
    await expectAdmitted('the image being admitted by the mended policy');
    await scene.removePolicy(name);
  });

  it('a policy whose CUE does not compile is refused when it is applied', async () => {
    const name = `uncompilable-${scene.enforced}`;
    const { refusal } = await scene.api.attempt((api) =>
      api.create(policiesPath, policyWith(name, { type: 'cue', data: 'predicate: {' })),
    );
    expect(refusal?.message)
      .to.include('admission webhook "validating.clusterimagepolicy.sigstore.dev" denied the request')
      .and.include('cue');
    expect(await scene.api.find(`${policiesPath}/${name}`)).to.equal(undefined);
  });

  it('an image whose registry is away is denied for now, and the message says so', async () => {
    const image = `harbor.golems.internal:1/golem-trust/app@${good.digest}`;
    const name = `away-${scene.enforced}`;
    await scene.applyPolicy({
      ...policyWith(name, { type: 'cue', data: 'a: _' }),
      spec: {
        images: [{ glob: 'harbor.golems.internal:1/**' }],
        authorities: [
          { keyless: { url: 'https://fulcio.sigstore.dev', identities: [{ issuer: 'a', subject: 'b' }] } },
        ],
      },
    });
    const { refusal } = await scene.createPod(image);
    expect(refusal?.message).to.include('cannot verify').and.include('harbor.golems.internal:1');
  });

  it('a webhook that is dead lets nothing in, and one that comes back goes on', async () => {
    await scene.webhook.stop();
    const { refusal } = await scene.createPod(good.ref);
    expect(refusal?.status).to.equal(500);
    expect(refusal?.message).to.include('failed calling webhook');
    await scene.webhook.restart();
    await expectAdmitted('the image being admitted after the restart');
    const unsigned = await scene.push();
    expect((await scene.createPod(unsigned.ref)).refusal?.message).to.include('signature missing');
  });
});
