import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { digestOf } from '../../../src/model/digest.ts';
import { parseRepository } from '../../../src/model/image-reference.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import type { Descriptor } from '../../../src/model/oci.ts';
import { readImageConfigs } from '../../../src/policy/image-configs.ts';
import type { ImageConfigs } from '../../../src/policy/image-configs.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import { openLayoutStore } from '../../../src/registry/oci-layout-store.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { rejectionOf } from '../registry/rejection.ts';
import { describeBytes, encode, indexOf, soon, unknownDigest } from '../registry/sample-images.ts';

const repository = parseRepository('registry.example/team/app');

describe('configs of an image', () => {
  let folder = '';
  let store: ImageStore;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-configs-'));
    store = await openLayoutStore(folder, systemClock);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const pushConfig = async (text: string): Promise<Descriptor> => {
    const bytes = Buffer.from(text);
    await store.putBlob(repository, bytes, { signal: soon() });
    const config = describeBytes(bytes, mediaTypes.ociConfig);
    return push(encode({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] }));
  };
  const push = async (manifest: ReturnType<typeof encode>): Promise<Descriptor> => {
    const { bytes, mediaType } = manifest;
    const digest = await store.putManifest(repository, digestOf(bytes), manifest, { signal: soon() });
    return { mediaType, digest, size: bytes.byteLength };
  };
  const pushImage = (config: object): Promise<Descriptor> => pushConfig(JSON.stringify(config));
  const platform = (os: string, architecture: string): Pick<Descriptor, 'platform'> => ({
    platform: { os, architecture },
  });
  const read = ({ digest }: Pick<Descriptor, 'digest'>): Promise<ImageConfigs> =>
    readImageConfigs(store, { repository, digest }, { signal: soon() });
  const faultOf = async (image: Pick<Descriptor, 'digest'>): Promise<string> => {
    const { code, message, kind } = await rejectionOf(read(image));
    expect(code).to.equal('ERR_POLICY_CONFIG');
    expect(kind).to.equal('permanent');
    return message;
  };

  const amd = { os: 'linux', architecture: 'amd64', config: { User: '65532' } };
  const arm = { os: 'linux', architecture: 'arm', variant: 'v7', config: { User: '0' } };
  const windows = { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348.1' };

  it('are one for an image, under os/arch', async () => {
    expect(await read(await pushImage(amd))).to.deep.equal({ 'linux/amd64': amd });
  });

  it('are those of every image of an index, nested ones included, with variant and os version', async () => {
    const nested = await push(
      indexOf([
        { ...(await pushImage(arm)), ...platform('linux', 'arm') },
        { ...(await pushImage(windows)), ...platform('windows', 'amd64') },
      ]),
    );
    const attestation = { ...(await pushImage({ os: 'unknown', architecture: 'unknown' })) };
    const index = indexOf([
      { ...(await pushImage(amd)), ...platform('linux', 'amd64') },
      nested,
      { ...attestation, ...platform('unknown', 'unknown') },
    ]);
    expect(await read(await push(index))).to.deep.equal({
      'linux/amd64': amd,
      'linux/arm/v7': arm,
      'windows/amd64:10.0.20348.1': windows,
    });
  });

  it('are none with ERR_POLICY_CONFIG if one image of an index is not there', async () => {
    const absent = { mediaType: mediaTypes.ociManifest, digest: unknownDigest, size: 2 };
    expect(await faultOf(await push(indexOf([await pushImage(amd), absent])))).to.include(
      `${unknownDigest}: there is no such image`,
    );
    expect(await faultOf({ digest: unknownDigest })).to.include('there is no such image');
  });

  it('are none with ERR_POLICY_CONFIG for two images of one platform, or one listed as another', async () => {
    const twice = indexOf([await pushImage(amd), await pushImage({ ...amd, config: { User: '0' } })]);
    expect(await faultOf(await push(twice))).to.include('it has two images for linux/amd64');
    const disguised = indexOf([{ ...(await pushImage(amd)), ...platform('linux', 'arm64') }]);
    expect(await faultOf(await push(disguised))).to.include('lists it for linux/arm64');
  });

  it('are none with ERR_POLICY_CONFIG for what is no JSON object, too much or too deep', async () => {
    expect(await faultOf(await pushConfig('[1]'))).to.include('no JSON object');
    expect(await faultOf(await pushConfig('{'))).to.include('no JSON object');
    const large = await Promise.all(
      [1, 2, 3, 4, 5].map((index) => pushImage({ os: `${index}`, text: 'x'.repeat(1_000_000) })),
    );
    expect(await faultOf(await push(indexOf(large)))).to.include('more than 4194304 bytes');
    let deep = await pushImage(amd);
    for (let depth = 0; depth < 4; depth += 1) deep = await push(indexOf([deep]));
    expect(await faultOf(deep)).to.include('too deep');
  });
});
