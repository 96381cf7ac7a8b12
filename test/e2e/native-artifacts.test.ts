import { expect } from 'chai';
import type { PushedImage } from '../support/images.ts';
import { pushImage } from '../support/images.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { createCompletedRun, waitUntilSigned } from '../support/task-runs.ts';

describe("Tekton's own artifacts", () => {
  let scene: Scene;
  let image: PushedImage;
  const sha1 = '0'.repeat(39) + '1';

  before(async () => {
    scene = await openScene();
    const namespace = await scene.namespace('native');
    await scene.controller([namespace]);
    image = await pushImage(scene.registry, `${scene.stack.registry}/native/oven`);
    const artifacts = {
      inputs: [
        { name: 'source', values: [{ uri: 'git+https://git.golems.internal/oven.git', digest: { sha1 } }] },
      ],
      outputs: [
        {
          name: 'image',
          buildOutput: true,
          values: [
            {
              uri: `pkg:oci/oven?repository_url=${scene.stack.registry}/native`,
              digest: { sha256: image.digest.slice('sha256:'.length) },
            },
          ],
        },
      ],
    };
    await createCompletedRun(scene.api, { namespace, name: 'native', results: [], artifacts });
    await waitUntilSigned(scene.api, { namespace, name: 'native' });
  });

  after(async () => {
    await scene[Symbol.asyncDispose]();
  });

  it('count as subject: the image is signed and attested', async () => {
    const verified = await scene.judges.verify(image.ref);
    expect(verified.code, verified.stderr).to.equal(0);
  });

  it('count as material: the provenance names the source', async () => {
    const { code, stdout, stderr } = await scene.judges.verifyAttestation(image.ref);
    expect(code, stderr).to.equal(0);
    const { payload } = JSON.parse(stdout) as { payload: string };
    const statement = JSON.parse(Buffer.from(payload, 'base64').toString('utf8')) as {
      predicate: { materials: unknown[] };
    };
    expect(statement.predicate.materials).to.deep.include({
      uri: 'git+https://git.golems.internal/oven.git',
      digest: { sha1 },
    });
  });
});
