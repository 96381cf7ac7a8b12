import { expect } from 'chai';
import { completeEvidence, listEvidence, summarise } from '../support/attached-evidence.ts';
import type { PushedImage } from '../support/images.ts';
import { pushImage } from '../support/images.ts';
import { pipelineIdentity } from '../support/judges.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import type { RunMarks } from '../support/task-runs.ts';
import { createCompletedRun, imageResults, waitUntilSigned } from '../support/task-runs.ts';

const layouts = {
  tags: { tags: true, referrers: false },
  referrers: { tags: false, referrers: true },
  both: { tags: true, referrers: true },
} as const;
type LayoutName = keyof typeof layouts;

const registries = { harbor: 'registry', 'the referrers registry': 'registryReferrers' } as const;

describe('layouts in the registry', () => {
  let scene: Scene;

  before(async () => {
    scene = await openScene();
  });

  after(async () => {
    await scene[Symbol.asyncDispose]();
  });

  for (const layout of Object.keys(layouts) as LayoutName[]) {
    describe(`setting ${layout}`, () => {
      const images = new Map<string, { image: PushedImage; marks: RunMarks }>();
      const found = (registry: string): { image: PushedImage; marks: RunMarks } => images.get(registry)!;

      before(async () => {
        const namespace = await scene.namespace(`layout-${layout}`);
        await scene.controller([namespace], { settings: { storage: { layouts: layouts[layout] } } });
        for (const [name, key] of Object.entries(registries)) {
          const image = await pushImage(scene.registry, `${scene.stack[key]}/layouts/${layout}`);
          const run = { namespace, name: key.toLowerCase() };
          await createCompletedRun(scene.api, { ...run, results: imageResults(image) });
          images.set(name, { image, marks: await waitUntilSigned(scene.api, run) });
        }
      });

      for (const registry of Object.keys(registries)) {
        it(`leaves exactly that in ${registry}, and cosign verifies it offline`, async () => {
          const { image } = found(registry);
          const evidence = await listEvidence(scene.registry, image, image.digest);
          expect(summarise(evidence)).to.deep.equal(completeEvidence[layout]);
          const verified = await scene.judges.verify(image.ref);
          expect(verified.code, verified.stderr).to.equal(0);
          expect(verified.stderr).to.include('was verified offline');
          const attested = await scene.judges.verifyAttestation(image.ref);
          expect(attested.code, attested.stderr).to.equal(0);
        });
      }

      it('has an entry in the log for each attestation, and one for the signature of each layout', () => {
        const { marks } = found('harbor');
        const count = (kind: string): number =>
          marks.logEntries.filter((entry) => entry.kind === kind).length;
        expect(count('provenance')).to.equal(1);
        expect(count('sbom')).to.equal(1);
        expect(count('signature')).to.equal(layout === 'both' ? 2 : 1);
      });
    });
  }

  it('lets cosign verify print the certificate subject and the log index of a signature in tags', async () => {
    const namespace = await scene.namespace('layout-print');
    await scene.controller([namespace]);
    const image = await pushImage(scene.registry, `${scene.stack.registry}/layouts/print`);
    await createCompletedRun(scene.api, { namespace, name: 'print', results: imageResults(image) });
    const { logEntries } = await waitUntilSigned(scene.api, { namespace, name: 'print' });
    const verified = await scene.judges.verify(image.ref, {}, ['--new-bundle-format=false']);
    expect(verified.code, verified.stderr).to.equal(0);
    const [printed] = JSON.parse(verified.stdout) as PrintedSignature[];
    expect(printed?.optional.Subject).to.equal(pipelineIdentity);
    expect(logEntries.map(({ logIndex }) => logIndex)).to.include(printed?.optional.Bundle.Payload.logIndex);
    // cosign 3.1.3 prints neither for a bundle, not even for one of its own making.
    const bundles = await scene.judges.verify(image.ref);
    expect(bundles.stdout).to.include('"optional":{}');
  });
});

interface PrintedSignature {
  readonly optional: {
    readonly Subject: string;
    readonly Bundle: { readonly Payload: { readonly logIndex: number } };
  };
}
