import { expect } from 'chai';
import { completeEvidence, evidenceTag, listEvidence } from '../support/attached-evidence.ts';
import { forgeAttestation, forgeBundle, moveEvidence } from '../support/forgery.ts';
import type { PushedImage } from '../support/images.ts';
import { pushImage } from '../support/images.ts';
import type { AskedIdentity, Judgement } from '../support/judges.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { createCompletedRun, imageResults, waitUntilSigned } from '../support/task-runs.ts';

const layouts = {
  tags: { tags: true, referrers: false },
  referrers: { tags: false, referrers: true },
} as const;

const wrongs: Readonly<Record<string, AskedIdentity>> = {
  'another ServiceAccount': {
    identityRegexp: 'https://kubernetes.golems.internal/namespaces/tekton-chains/serviceaccounts/intruder',
  },
  'another namespace': {
    identityRegexp:
      'https://kubernetes.golems.internal/namespaces/default/serviceaccounts/tekton-chains-controller',
  },
  'another issuer': { issuer: 'https://kubernetes.default.svc' },
};

for (const layout of ['tags', 'referrers'] as const) {
  describe(`tampering with evidence in ${layout}`, () => {
    let scene: Scene;
    let namespace: string;

    before(async () => {
      scene = await openScene();
      namespace = await scene.namespace('tampering');
      await scene.controller([namespace], { settings: { storage: { layouts: layouts[layout] } } });
    });

    after(async () => {
      await scene[Symbol.asyncDispose]();
    });

    const signedImage = async (name: string): Promise<PushedImage> => {
      const image = await pushImage(scene.registry, `${scene.stack.registry}/tampering/${layout}`);
      await createCompletedRun(scene.api, { namespace, name, results: imageResults(image) });
      await waitUntilSigned(scene.api, { namespace, name });
      return image;
    };
    const judge = async ({ ref }: PushedImage, asked: AskedIdentity = {}): Promise<Judgement[]> => [
      await scene.judges.verify(ref, asked),
      await scene.judges.verifyAttestation(ref, 'slsaprovenance', asked),
    ];
    const codes = (judgements: readonly Judgement[]): readonly boolean[] =>
      judgements.map(({ code }) => code === 0);

    it('is refused by cosign when the evidence is moved to a changed image', async () => {
      const image = await signedImage('moved');
      const changed = await pushImage(scene.registry, image.repository);
      await moveEvidence(scene.registry, image, changed);
      expect(await listEvidence(scene.registry, changed, changed.digest)).to.have.length(
        completeEvidence[layout].length,
      );
      expect(codes(await judge(image))).to.deep.equal([true, true]);
      expect(codes(await judge(changed))).to.deep.equal([false, false]);
    });

    it('is refused by cosign when the statement is changed', async () => {
      const image = await signedImage('forged');
      if (layout === 'tags') await forgeAttestation(scene.registry, image, evidenceTag(image.digest, 'att'));
      else await forgeBundle(scene.registry, image);
      const [, attested] = await judge(image);
      expect(attested?.code).to.not.equal(0);
      expect(attested?.stderr).to.match(/verif|signature/i);
    });

    it('is refused by cosign when another identity is asked for', async () => {
      const image = await signedImage('identity');
      for (const [wrong, asked] of Object.entries(wrongs)) {
        expect(codes(await judge(image, asked)), wrong).to.deep.equal([false, false]);
      }
      expect(codes(await judge(image))).to.deep.equal([true, true]);
    });
  });
}
