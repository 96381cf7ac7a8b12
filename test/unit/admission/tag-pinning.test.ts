import { expect } from 'chai';
import { AppError } from '../../../src/model/errors.ts';
import { digestOf } from '../../../src/model/digest.ts';
import { formatRepository } from '../../../src/model/image-reference.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import { deploymentOf, openDoor, podOf, requestOf } from './door.ts';
import type { Door, DoorOptions } from './door.ts';

const digest = digestOf('v1');
const allowing = { static: { action: 'pass' } };

/** A store that knows the digest of any tag but `none`, and notes what it is asked. */
function tagStore(asked: string[]): ImageStore {
  const head: ImageStore['headManifest'] = async (repository, reference) => {
    asked.push(`${formatRepository(repository)}:${reference}`);
    await Promise.resolve();
    if (reference === 'away') throw new AppError('ERR_REGISTRY_UNREACHABLE', 'away', { kind: 'passing' });
    return reference === 'none' ? undefined : { mediaType: mediaTypes.ociManifest, digest, size: 1 };
  };
  return { headManifest: head } as ImageStore;
}

describe('pinning tags', () => {
  let asked: string[] = [];
  beforeEach(() => {
    asked = [];
  });
  const open = (more: Partial<DoorOptions> = {}): Promise<Door> =>
    openDoor({ store: tagStore(asked), policies: [{ authorities: [allowing] }], ...more });

  it('adds the digest to tags, in containers of all kinds and image volumes', async () => {
    const pod = podOf(['registry.example/a:v1', 'registry.example/b']);
    const spec = {
      ...(pod['spec'] as object),
      initContainers: [{ image: 'registry.example/a:v1' }],
      ephemeralContainers: [{ image: `registry.example/c@${digest}` }],
      volumes: [{ name: 'empty' }, { name: 'data', image: { reference: 'registry.example/data:v2' } }],
    };
    const { allowed, patch } = await (await open()).mutate(requestOf({ ...pod, spec }));
    expect(allowed).to.equal(true);
    expect(patch).to.deep.equal([
      { op: 'replace', path: '/spec/initContainers/0/image', value: `registry.example/a:v1@${digest}` },
      { op: 'replace', path: '/spec/containers/0/image', value: `registry.example/a:v1@${digest}` },
      { op: 'replace', path: '/spec/containers/1/image', value: `registry.example/b:latest@${digest}` },
      { op: 'replace', path: '/spec/volumes/1/image/reference', value: `registry.example/data:v2@${digest}` },
    ]);
    expect(asked.sort()).to.deep.equal([
      'registry.example/a:v1',
      'registry.example/b:latest',
      'registry.example/data:v2',
    ]);
  });

  it('leaves images alone that no policy is about, and asks no registry for them', async () => {
    const door = await open({ policies: [{ glob: 'registry.example/team/*', authorities: [allowing] }] });
    const images = [
      'busybox',
      'elsewhere.example/a:v1',
      'registry.example/other/a:v1',
      'registry.example/team/a:v1',
    ];
    const { patch } = await door.mutate(requestOf(podOf(images)));
    expect(patch?.map(({ path }) => path)).to.deep.equal(['/spec/containers/3/image']);
    expect(asked).to.deep.equal(['registry.example/team/a:v1']);
  });

  for (const glob of [
    `registry.example/a@${digest}`,
    'registry.example/a@*',
    'registry.example/*@sha256:*',
    '**',
  ]) {
    it(`counts the glob ${glob.slice(0, 30)} as one that may be about a tag`, async () => {
      const door = await open({ policies: [{ glob, authorities: [allowing] }] });
      expect((await door.mutate(requestOf(podOf(['registry.example/a:v1'])))).patch).to.have.length(1);
    });
  }

  it('leaves what cannot be resolved to the validating call, and pins the rest', async () => {
    const images = [
      'registry.example/a:none',
      'registry.example/a:away',
      'registry.example/a:v1',
      'no image!',
    ];
    const { allowed, patch } = await (await open()).mutate(requestOf(podOf(images)));
    expect([allowed, patch?.map(({ path }) => path)]).to.deep.equal([true, ['/spec/containers/2/image']]);
  });

  it('changes nothing the second time', async () => {
    const door = await open();
    const { patch = [] } = await door.mutate(requestOf(podOf(['registry.example/a:v1'])));
    const again = await door.mutate(requestOf(podOf(patch.map(({ value }) => value))));
    expect(again).to.deep.equal({ allowed: true, warnings: [] });
  });

  it('leaves an image alone that the object had before, for another text would restart it', async () => {
    const door = await open({ unchangedImages: 'judge' });
    const before = deploymentOf(['registry.example/a:v1']);
    const after = deploymentOf(['registry.example/a:v1', 'registry.example/b:v1']);
    const { patch } = await door.mutate(requestOf(after, { oldObject: before }));
    expect(patch?.map(({ path }) => path)).to.deep.equal(['/spec/template/spec/containers/1/image']);
  });

  it('leaves what another controller made as its template has it, but pins Pods', async () => {
    const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'app', controller: true }];
    const owned = { ...deploymentOf(['registry.example/a:v1'], {}, { ownerReferences }), kind: 'ReplicaSet' };
    const door = await open();
    expect((await door.mutate(requestOf(owned))).patch ?? []).to.deep.equal([]);
    const pod = podOf(['registry.example/a:v1'], { ownerReferences });
    expect((await door.mutate(requestOf(pod))).patch).to.have.length(1);
  });

  it('is switched off by the setting', async () => {
    const door = await open({ resolveTags: false });
    expect((await door.mutate(requestOf(podOf(['registry.example/a:v1'])))).patch ?? []).to.deep.equal([]);
    expect(asked).to.deep.equal([]);
  });
});

describe('resolving a tag', () => {
  it('asks once for all who wait, and again after two seconds', async () => {
    const asked: string[] = [];
    const door = await openDoor({ store: tagStore(asked), policies: [{ authorities: [allowing] }] });
    const pod = requestOf(podOf(['registry.example/a:v1']));
    await Promise.all(Array.from({ length: 5 }, () => door.mutate(pod)));
    await door.mutate(pod);
    expect(asked).to.have.length(1);
    await door.clock.advance(2001);
    await door.mutate(pod);
    expect(asked).to.have.length(2);
    expect(door.asked).to.deep.equal([
      'tag miss',
      ...Array<string>(4).fill('tag joined'),
      'tag hit',
      'tag miss',
    ]);
  });

  it('remembers no fault', async () => {
    const asked: string[] = [];
    const door = await openDoor({ store: tagStore(asked), policies: [{ authorities: [allowing] }] });
    const pod = requestOf(podOf(['registry.example/a:away']));
    await door.mutate(pod);
    await door.mutate(pod);
    expect(asked).to.have.length(2);
  });
});
