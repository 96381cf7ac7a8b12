import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { startDevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import { loadTrustRoot, logKeysOf, parseTrustRoot } from '../../../src/signing/trust-root.ts';
import { codeOf, codeOfRejection } from './codes.ts';
import { signal } from './signed-evidence.ts';

interface RootJson {
  mediaType: string;
  tlogs: { baseUrl: string; publicKey: { rawBytes: string; keyDetails?: string }; logId?: object }[];
  certificateAuthorities: { certChain: { certificates: object[] } }[];
}

describe('parseTrustRoot', () => {
  let text: string;
  let url: string;

  before(async () => {
    const sigstore = await startDevelopmentSigstore();
    text = JSON.stringify(sigstore.trustedRoot);
    url = sigstore.rekorUrl;
    await sigstore[Symbol.asyncDispose]();
  });

  const altered = (change: (root: RootJson) => void): string => {
    const root = JSON.parse(text) as RootJson;
    change(root);
    return JSON.stringify(root);
  };

  it('gives the keys of the logs and a version that changes with the document', () => {
    const root = parseTrustRoot(text);
    const [key] = logKeysOf(root);
    expect(key?.baseUrl).to.equal(url);
    expect(key?.logId).to.match(/^[0-9a-f]{64}$/);
    expect(parseTrustRoot(text).version).to.equal(root.version);
    expect(parseTrustRoot(`${text} `).version).not.to.equal(root.version);
  });

  it('refuses anything incomplete or unreadable with ERR_TRUST_ROOT', () => {
    const faults = [
      '',
      '{}',
      '[]',
      altered((root) => (root.mediaType = 'application/json')),
      altered((root) => (root.tlogs[0]!.publicKey.rawBytes = 'AAAA')),
      altered((root) => delete root.tlogs[0]!.publicKey.keyDetails),
      altered((root) => delete root.tlogs[0]!.logId),
      altered((root) => (root.certificateAuthorities[0]!.certChain.certificates = [])),
      altered((root) => (root.certificateAuthorities[0]!.certChain.certificates = [{ rawBytes: 'AAAA' }])),
      altered((root) => (root.tlogs = Array.from({ length: 101 }, () => root.tlogs[0]!))),
    ];
    for (const fault of faults) expect(codeOf(() => parseTrustRoot(fault))).to.equal('ERR_TRUST_ROOT');
  });

  it('reads a file, and refuses a missing one with ERR_TRUST_ROOT', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'root-'));
    try {
      const path = join(folder, 'trusted_root.json');
      expect(await codeOfRejection(loadTrustRoot(path, { signal }))).to.equal('ERR_TRUST_ROOT');
      await writeFile(path, text);
      expect((await loadTrustRoot(path, { signal })).version).to.equal(parseTrustRoot(text).version);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
