import { expect } from 'chai';
import fc from 'fast-check';
import { isAppError } from '../../../src/model/errors.ts';
import { digestOf } from '../../../src/model/digest.ts';
import { limits } from '../../../src/model/limits.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import { storedManifest } from '../../../src/registry/manifest-check.ts';
import { isImageIndex, parseManifest } from '../../../src/registry/manifest-parser.ts';
import { listPlatformManifests } from '../../../src/registry/platform-manifests.ts';
import { indexOf } from './sample-images.ts';
import type { Descriptor } from '../../../src/model/oci.ts';

const descriptor = { mediaType: 'x/y', digest: digestOf('x'), size: 1 };
const image = { schemaVersion: 2, config: descriptor, layers: [descriptor] };
const index = { schemaVersion: 2, manifests: [descriptor] };

describe('parseManifest', () => {
  const parse = (value: unknown, contentType?: string) =>
    parseManifest(
      Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
      contentType,
      'the manifest',
    );

  it('tells the media type from the document, else from the Content-Type, else from its shape', () => {
    expect(parse({ ...image, mediaType: mediaTypes.dockerManifest }).mediaType).to.equal(
      mediaTypes.dockerManifest,
    );
    expect(parse(index, mediaTypes.dockerIndex).mediaType).to.equal(mediaTypes.dockerIndex);
    expect(parse(index, 'text/plain').mediaType).to.equal(mediaTypes.ociIndex);
    expect(parse(image).mediaType).to.equal(mediaTypes.ociManifest);
  });

  it('keeps fields that it does not know, and takes null for an empty list', () => {
    const { manifest } = parse({ ...image, layers: [{ ...descriptor, urls: ['u'] }], note: 1 });
    expect(manifest).to.deep.include({ note: 1 });
    expect(!isImageIndex(manifest) && manifest.layers[0]).to.deep.equal({ ...descriptor, urls: ['u'] });
    expect(parse({ ...index, manifests: null }).manifest).to.deep.include({ manifests: [] });
  });

  for (const [what, value, contentType] of [
    ['a document that is both an image and an index', { ...image, ...index }, undefined],
    ['another media type than stated', { ...image, mediaType: mediaTypes.ociManifest }, mediaTypes.ociIndex],
    ['an index stated as an image', index, mediaTypes.ociManifest],
    ['schema 1', { schemaVersion: 1, fsLayers: [] }, undefined],
    ['an unknown media type', { ...image, mediaType: 'application/x' }, undefined],
    ['a malformed digest', { ...image, config: { ...descriptor, digest: 'sha256:ABC' } }, undefined],
    ['a negative size', { ...image, config: { ...descriptor, size: -1 } }, undefined],
    ['a size that is no whole number', { ...image, config: { ...descriptor, size: 1e300 } }, undefined],
    ['annotations that are no text', { ...image, annotations: { a: 1 } }, undefined],
    ['no JSON', 'nonsense', undefined],
    ['a list', '[]', undefined],
  ] as const) {
    it(`refuses ${what} with ERR_REGISTRY_MANIFEST`, () => {
      expect(() => parse(value, contentType))
        .to.throw()
        .with.property('code', 'ERR_REGISTRY_MANIFEST');
    });
  }

  it('throws nothing but its own error for any JSON', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          parse(text);
        } catch (error) {
          expect(isAppError(error) && error.code).to.equal('ERR_REGISTRY_MANIFEST');
        }
      }),
    );
  });
});

describe('listPlatformManifests', () => {
  const entry = (text: string, extra: Partial<Descriptor> = {}): Descriptor => ({
    mediaType: mediaTypes.ociManifest,
    digest: digestOf(text),
    size: 1,
    ...extra,
  });
  const list = (entries: readonly Descriptor[]) =>
    listPlatformManifests(storedManifest(indexOf(entries).bytes, { object: 'the index' }));

  it('lists each platform once, without BuildKit’s attestation manifests', () => {
    const amd64 = entry('a', { platform: { os: 'linux', architecture: 'amd64' } });
    const arm64 = entry('b', { platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } });
    const unknown = entry('c', { platform: { os: 'unknown', architecture: 'unknown' } });
    const marked = entry('d', { annotations: { 'vnd.docker.reference.type': 'attestation-manifest' } });
    expect(list([amd64, arm64, amd64, unknown, marked])).to.deep.equal([amd64, arm64]);
  });

  it('lists nothing for an image', () => {
    const stored = storedManifest(Buffer.from(JSON.stringify(image)), { object: 'the image' });
    expect(listPlatformManifests(stored)).to.deep.equal([]);
  });

  it('refuses an index without end with ERR_REGISTRY_TOO_LARGE', () => {
    const entries = Array.from({ length: limits.indexManifests + 1 }, (_, n) => entry(`${n}`));
    expect(() => list(entries))
      .to.throw()
      .with.property('code', 'ERR_REGISTRY_TOO_LARGE');
  });
});
