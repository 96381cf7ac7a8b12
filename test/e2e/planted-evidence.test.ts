import { expect } from 'chai';
import { listEvidence, summarise } from '../support/attached-evidence.ts';
import { CosignSigner } from '../support/cosign-signer.ts';
import type { CosignLayout } from '../support/cosign-signer.ts';
import type { PushedImage } from '../support/images.ts';
import { pushImage } from '../support/images.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { createCompletedRun, imageResults, waitUntilSigned } from '../support/task-runs.ts';

describe('evidence that somebody else planted on the image beforehand', () => {
  let scene: Scene;
  let namespace: string;
  let somebody: CosignSigner;

  before(async () => {
    scene = await openScene();
    namespace = await scene.namespace('planted');
    const { stack, judges } = scene;
    somebody = new CosignSigner({ stack, judges, account: { namespace, name: 'default' } });
    await scene.controller([namespace]);
  });

  after(async () => {
    await scene[Symbol.asyncDispose]();
  });

  const signed = async (image: PushedImage, name: string): Promise<readonly string[]> => {
    await createCompletedRun(scene.api, { namespace, name, results: imageResults(image) });
    await waitUntilSigned(scene.api, { namespace, name });
    return summarise(await listEvidence(scene.registry, image, image.digest));
  };
  const expectVerified = async ({ ref }: PushedImage, flags: readonly string[]): Promise<void> => {
    const verified = await scene.judges.verify(ref, {}, flags);
    expect(verified.code, verified.stderr).to.equal(0);
    const attested = await scene.judges.verifyAttestation(ref, 'slsaprovenance', {}, flags);
    expect(attested.code, attested.stderr).to.equal(0);
  };

  for (const [registry, key] of [
    ['harbor', 'registry'],
    ['the referrers registry', 'registryReferrers'],
  ] as const) {
    for (const layout of ['tag', 'referrer'] as const satisfies CosignLayout[]) {
      it(`in the ${layout} layout in ${registry} hides nothing of ours in either layout`, async () => {
        const image = await pushImage(scene.registry, `${scene.stack[key]}/planted`);
        await somebody.sign(image.ref, layout);
        await somebody.attest(image.ref, layout);
        const before = await scene.judges.verify(image.ref);
        expect(before.code).to.not.equal(0);
        const evidence = await signed(image, `${key.toLowerCase()}-${layout}`);
        const count = (what: string): number => evidence.filter((one) => one === what).length;
        for (const one of ['tag', 'referrer']) {
          expect(count(`${one} signature`)).to.equal(one === layout ? 2 : 1);
          expect(count(`${one} provenance`)).to.equal(one === layout ? 2 : 1);
        }
        await expectVerified(image, []);
        await expectVerified(image, ['--new-bundle-format=false']);
      });
    }
  }
});
