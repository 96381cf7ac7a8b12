import { expect } from 'chai';
import { readImageFile } from '../../../src/sbom/image-file.ts';
import { defaultSbomLimits } from '../../../src/sbom/sbom-limits.ts';
import { image, layer } from './image-fixture.ts';
import type { Member } from './image-fixture.ts';

const read = async (layers: readonly Record<string, Member>[], path = '/etc/a.json'): Promise<unknown> => {
  const found = await readImageFile(image(layers.map((members) => layer(members))), {
    path,
    maxBytes: 10,
    limits: defaultSbomLimits,
    signal: AbortSignal.timeout(60_000),
  });
  return found instanceof Uint8Array ? Buffer.from(found).toString('hex') : found;
};

describe('sbom: one file of an image', () => {
  it('is that of the highest layer, byte for byte', async () => {
    const bytes = Buffer.from('00ff80c3', 'hex');
    expect(await read([{ 'etc/a.json': 'lower' }, { 'etc/a.json': bytes }])).to.equal('00ff80c3');
  });

  it('is undefined where there is none, or a layer deleted it', async () => {
    expect(await read([{ 'opt/a.json': 'x' }])).to.equal(undefined);
    expect(await read([{ 'etc/a.json': 'x' }, { 'etc/.wh.a.json': '' }])).to.equal(undefined);
  });

  it('is told to be too large instead of being read', async () => {
    expect(await read([{ 'etc/a.json': 'x'.repeat(11) }])).to.equal('too-large');
  });
});
