import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { addAnnotations } from '../../../src/commands/sign/annotation-flags.ts';
import { layoutsOf, loggableLayouts } from '../../../src/commands/sign/evidence-layouts.ts';
import { withRegistryFlags, withRegistryLogin } from '../../../src/commands/wiring/registry-options.ts';
import { withCertificate } from '../../../src/commands/wiring/signing-certificate.ts';
import { anonymousSource } from '../../../src/registry/credentials.ts';
import { resolveSettings } from '../../../src/settings/resolution.ts';
import { createKeySigner } from '../../../src/signing/key-signer.ts';
import { newAuthorityChain } from '../../support/certificate-chains.ts';
import { codeOf, codeOfRejection } from '../signing/codes.ts';

const { signal } = new AbortController();
const image = 'registry.example:5000/team/app:1';
const { settings } = resolveSettings({ environment: {} });

async function keyOf({ privateKey }: { readonly privateKey: KeyObject }) {
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  return (await createKeySigner({ pem })).acquire({ signal });
}

describe('annotations on the command line', () => {
  it('are read as cosign reads them', () => {
    const first = addAnnotations('commit=abc,stage=prod');
    expect(addAnnotations('commit=def=1', first)).to.deep.equal({ commit: 'def=1', stage: 'prod' });
  });

  for (const given of ['commit', '=abc', 'a=b,c']) {
    it(`refuses "${given}" with ERR_USAGE_FLAGS`, () => {
      expect(codeOf(() => addAnnotations(given))).to.equal('ERR_USAGE_FLAGS');
    });
  }
});

describe('layouts of signed evidence', () => {
  it('are those of the settings, or the one that is asked for', () => {
    expect(layoutsOf(settings)).to.deep.equal(['tag', 'referrer']);
    expect(layoutsOf(settings, { newBundleFormat: 'true' })).to.deep.equal(['referrer']);
    expect(layoutsOf(settings, { newBundleFormat: 'false' })).to.deep.equal(['tag']);
    expect(codeOf(() => layoutsOf(settings, { newBundleFormat: 'no' }))).to.equal('ERR_USAGE_BOOLEAN');
  });

  it('leave the tag out where Ed25519 signs and a log is told; ERR_SIGN_LOG if nothing is left', async () => {
    const ed25519 = await keyOf(generateKeyPairSync('ed25519'));
    const p384 = await keyOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }));
    expect(loggableLayouts(['tag', 'referrer'], p384)).to.deep.equal(['tag', 'referrer']);
    expect(loggableLayouts(['tag', 'referrer'], ed25519)).to.deep.equal(['referrer']);
    expect(codeOf(() => loggableLayouts(['tag'], ed25519))).to.equal('ERR_SIGN_LOG');
  });
});

describe('registry flags', () => {
  it('change how the image’s own registry is reached, and no other', () => {
    const given = { ...settings, registries: [{ host: 'other.example', insecure: false }] };
    const { registries } = withRegistryFlags(given, image, {
      registryCacert: '/etc/ca.pem',
      allowHttpRegistry: true,
    });
    expect(registries).to.deep.equal([
      { host: 'registry.example:5000', insecure: true, caFile: '/etc/ca.pem' },
      { host: 'other.example', insecure: false },
    ]);
    expect(withRegistryFlags(given, image, {})).to.equal(given);
  });

  it('send a password to the image’s own registry alone', async () => {
    const flags = { registryUsername: 'me', registryPassword: 'secret' };
    const source = withRegistryLogin(anonymousSource, image, flags);
    const find = (registry: string) => source.find({ registry, path: 'team/app' }, { signal });
    expect(await find('registry.example:5000')).to.deep.equal([
      { kind: 'basic', username: 'me', password: 'secret' },
    ]);
    expect(await find('registry.example')).to.deep.equal([]);
    expect(await find('registry.example:5000.evil.example')).to.deep.equal([]);
  });

  it('refuse a name without a password with ERR_USAGE_FLAGS', () => {
    const login = () => withRegistryLogin(anonymousSource, image, { registryUsername: 'me' });
    expect(codeOf(login)).to.equal('ERR_USAGE_FLAGS');
  });
});

describe('a certificate of one’s own key', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-certificate-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('stands for the key, with its authorities', async () => {
    const { leaf, intermediate, root, leafKey } = await newAuthorityChain();
    const [certificate, certificateChain] = ['leaf.pem', 'chain.pem'].map((name) => join(folder, name));
    await writeFile(certificate ?? '', leaf);
    await writeFile(certificateChain ?? '', `${intermediate}\n${root}`);
    const key = await (await createKeySigner({ pem: leafKey })).acquire({ signal });
    const { material } = await withCertificate(key, { certificate, certificateChain } as object, { signal });
    expect(material.kind === 'certificate' && material.chainDer.length).to.equal(3);
  });

  it('is refused with ERR_USAGE_CERTIFICATE if it is of another key, none, or not one', async () => {
    const key = await keyOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
    const { leaf, root } = await newAuthorityChain();
    for (const content of [leaf, 'no certificate', `${leaf}\n${root}`]) {
      const certificate = join(folder, 'planted.pem');
      await writeFile(certificate, content);
      const made = withCertificate(key, { certificate }, { signal });
      expect(await codeOfRejection(made)).to.equal('ERR_USAGE_CERTIFICATE');
    }
    const alone = withCertificate(key, { certificateChain: join(folder, 'planted.pem') }, { signal });
    expect(await codeOfRejection(alone)).to.equal('ERR_USAGE_CERTIFICATE');
  });
});
