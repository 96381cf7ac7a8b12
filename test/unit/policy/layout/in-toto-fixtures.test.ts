import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { readLinkFile } from '../../../../src/commands/layout/layout-evidence.ts';
import { verifyLayout } from '../../../../src/policy/layout/layout-verification.ts';
import { requireSigned } from '../../../../src/policy/layout/step-reports.ts';
import { metadataKeyOf, readMetadataKey } from '../../../../src/signing/metadata-key.ts';
import { parseTrustRoot } from '../../../../src/signing/trust-root.ts';
import { parseSignedMetadata } from '../../../../src/statements/signed-metadata.ts';
import { codeOfRejection } from '../../signing/codes.ts';

const folder = new URL('../../../fixtures/layouts/', import.meta.url);
const keyOf = (name: string) => {
  const { keyid, key } = metadataKeyOf(createPublicKey(readFileSync(new URL(`${name}.pub`, folder))));
  return { keyid, key: readMetadataKey(key, keyid) };
};

async function verify(file: string, owners: readonly string[] = ['alice']): Promise<string> {
  const metadata = parseSignedMetadata(readFileSync(new URL(file, folder)), file);
  const root = new URL(`${file.split('/')[0] ?? ''}/`, folder).pathname;
  const at = new Date('2026-01-01T00:00:00Z');
  const trustRoot = parseTrustRoot(
    '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}',
  );
  return codeOfRejection(
    (async () => {
      for (const owner of owners) requireSigned(metadata, keyOf(owner).key, file);
      await verifyLayout(metadata.signed, file, {
        source: {
          link: (inside, step, keyid) => readLinkFile(root, inside, { step, keyid }),
          attestations: () => [],
          inspected: new Map(),
        },
        at,
        unwitnessed: { trustRoot, witness: 'unsafe-none', requireSct: false, at },
      });
    })(),
  );
}

describe('layouts and links of the real in-toto', () => {
  for (const wrapping of ['metablock', 'dsse']) {
    it(`hold in its ${wrapping} wrapping`, async () => {
      expect(await verify(`${wrapping}/plain.layout`)).to.equal('passed');
      expect(await verify(`${wrapping}/threshold.layout`)).to.equal('passed');
      expect(await verify(`${wrapping}/two-owners.layout`, ['alice', 'diana'])).to.equal('passed');
    });

    it(`are refused in its ${wrapping} wrapping by another owner, and for an inspection`, async () => {
      expect(await verify(`${wrapping}/plain.layout`, ['alice', 'diana'])).to.equal('ERR_LAYOUT_SIGNATURE');
      expect(await verify(`${wrapping}/plain.layout`, ['bob'])).to.equal('ERR_LAYOUT_SIGNATURE');
      expect(await verify(`${wrapping}/inspection.layout`)).to.equal('ERR_LAYOUT_INSPECTION');
    });
  }

  it('hold with a layout inside', async () => {
    expect(await verify('sublayout/outer.layout')).to.equal('passed');
  });

  it('name keys as we do', () => {
    const { signed } = parseSignedMetadata(readFileSync(new URL('metablock/plain.layout', folder)), 'layout');
    const ours = ['bob', 'carl', 'diana'].map((name) => keyOf(name).keyid);
    expect(Object.keys(signed['keys'] as object)).to.have.members(ours);
  });
});
