import { expect } from 'chai';
import { parseImageAddress } from '../../../src/commands/sbom/image-address.ts';
import { choosePlatforms, parsePlatformChoice } from '../../../src/commands/sbom/platform-choice.ts';
import { localPlatform } from '../../../src/commands/sbom/platform-choice.ts';
import type { ImageAddress } from '../../../src/commands/sbom/image-address.ts';
import { digestOf } from '../../../src/model/digest.ts';
import { isAppError } from '../../../src/model/errors.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import type { Descriptor } from '../../../src/model/oci.ts';

const digest = digestOf('image');
const faultOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (isAppError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'none';
};

describe('sbom: address of an image', () => {
  const cases: Readonly<Record<string, ImageAddress>> = {
    'harbor.golems.internal/golem-trust/app:1.0': {
      kind: 'registry',
      reference: { repository: { registry: 'harbor.golems.internal', path: 'golem-trust/app' }, tag: '1.0' },
    },
    [`busybox@${digest}`]: {
      kind: 'registry',
      reference: { repository: { registry: 'index.docker.io', path: 'library/busybox' }, digest },
    },
    'oci-layout:build/image': { kind: 'oci-layout', folder: 'build/image' },
    'oci-layout:image:latest': { kind: 'oci-layout', folder: 'image', ref: 'latest' },
    'oci-layout:image:harbor.golems.internal/app:1.0': {
      kind: 'oci-layout',
      folder: 'image',
      ref: 'harbor.golems.internal/app:1.0',
    },
    [`oci-layout:image@${digest}`]: { kind: 'oci-layout', folder: 'image', digest },
    'oci-layout:a@b': { kind: 'oci-layout', folder: 'a@b' },
    'tar:a:b.tar': { kind: 'tar', file: 'a:b.tar' },
  };
  for (const [value, address] of Object.entries(cases)) {
    it(`is ${address.kind} for ${value}`, () => {
      expect(parseImageAddress(value)).to.deep.equal(address);
    });
  }

  for (const value of ['', 'tar:', 'oci-layout:', 'oci-layout::tag', 'oci-layout:image:', 'A/b', 'a b']) {
    it(`is refused with ERR_USAGE_IMAGE for "${value}"`, () => {
      expect(faultOf(() => parseImageAddress(value))).to.match(/^ERR_USAGE_IMAGE: /);
    });
  }
});

describe('sbom: platform', () => {
  const manifest = (name: string): Descriptor => {
    const [os = '', architecture = '', variant] = name.split('/');
    const platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
    return { mediaType: mediaTypes.ociManifest, digest: digestOf(name), size: 1, platform };
  };
  const { os, architecture } = localPlatform();
  const here = `${os}/${architecture}`;
  const held = ['linux/s390x', here, 'linux/arm/v6', 'linux/arm/v7'].map(manifest);
  const chosen = (choice?: string): readonly string[] =>
    choosePlatforms(held, parsePlatformChoice(choice), 'app').map((one) => one.digest);

  it('is this machine’s where there are several', () => {
    expect(chosen()).to.deep.equal([digestOf(here)]);
  });

  it('is the only one whatever it is', () => {
    const lone = [manifest('linux/s390x')];
    expect(choosePlatforms(lone, undefined, 'app')).to.deep.equal(lone);
  });

  it('is the one that is named, its variant where that is named too', () => {
    expect(chosen('linux/s390x')).to.deep.equal([digestOf('linux/s390x')]);
    expect(chosen('linux/arm')).to.deep.equal([digestOf('linux/arm/v6')]);
    expect(chosen('linux/arm/v7')).to.deep.equal([digestOf('linux/arm/v7')]);
  });

  it('is every one for all', () => {
    expect(chosen('all')).to.have.length(held.length);
  });

  it('is refused with ERR_USAGE_PLATFORM and a list where there is none such', () => {
    expect(faultOf(() => chosen('linux/riscv64'))).to.equal(
      `ERR_USAGE_PLATFORM: app has no image for linux/riscv64, only for linux/s390x, ${here}, linux/arm/v6, linux/arm/v7`,
    );
    expect(faultOf(() => chosen('linux'))).to.match(/^ERR_USAGE_PLATFORM: /);
  });
});
