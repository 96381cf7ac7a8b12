import { expect } from 'chai';
import { completeEvidence, listEvidence, summarise } from '../support/attached-evidence.ts';
import type { PushedImage } from '../support/images.ts';
import { pushIndex } from '../support/images.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { createCompletedRun, imageResults, waitUntilSigned } from '../support/task-runs.ts';

// The SBOM of each platform lies at its manifest and at the index.
const ofIndex = [...completeEvidence.both, 'referrer sbom', 'tag sbom'].sort();

describe('an image index', () => {
  let scene: Scene;
  const indexes: PushedImage[] = [];

  before(async () => {
    scene = await openScene();
    const namespace = await scene.namespace('index');
    await scene.controller([namespace]);
    for (const key of ['registry', 'registryReferrers'] as const) {
      const index = await pushIndex(scene.registry, `${scene.stack[key]}/multi-arch`);
      const name = key.toLowerCase();
      await createCompletedRun(scene.api, { namespace, name, results: imageResults(index) });
      await waitUntilSigned(scene.api, { namespace, name });
      indexes.push(index);
    }
  });

  after(async () => {
    await scene[Symbol.asyncDispose]();
  });

  it('is signed and attested, and so is every platform manifest that it names', async () => {
    for (const index of indexes) {
      expect(index.platforms).to.have.length(2);
      for (const digest of [index.digest, ...index.platforms]) {
        const evidence = await listEvidence(scene.registry, index, digest);
        expect(summarise(evidence), digest).to.deep.equal(
          digest === index.digest ? ofIndex : completeEvidence.both,
        );
        const ref = `${index.repository}@${digest}`;
        const verified = await scene.judges.verify(ref);
        expect(verified.code, verified.stderr).to.equal(0);
        for (const type of ['slsaprovenance', 'cyclonedx']) {
          const attested = await scene.judges.verifyAttestation(ref, type);
          expect(attested.code, attested.stderr).to.equal(0);
        }
      }
    }
  });

  it('is found in the log by the digest of a platform manifest', async () => {
    const [index] = indexes;
    for (const digest of index?.platforms ?? [])
      expect(await scene.judges.searchUntilFound(digest)).to.not.be.empty;
  });
});
