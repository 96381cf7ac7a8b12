import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readPrivateKey, readPublicKeyPem } from '../../../src/commands/wiring/key-reference.ts';
import { codeOfRejection } from '../signing/codes.ts';
import { signal } from '../signing/signed-evidence.ts';

describe('the key that --key names', () => {
  let folder: string;
  const options = { environment: {}, signal };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-key-'));
    await writeFile(join(folder, 'cosign.key'), 'PEM');
  });
  after(() => rm(folder, { recursive: true }));

  it('is a file, with its password in COSIGN_PASSWORD, which may be empty', async () => {
    const file = join(folder, 'cosign.key');
    expect(await readPrivateKey(file, options)).to.deep.equal({ pem: 'PEM' });
    const environment = { COSIGN_PASSWORD: '' };
    expect(await readPrivateKey(file, { environment, signal })).to.deep.equal({ pem: 'PEM', password: '' });
    expect(await readPublicKeyPem(file, options)).to.equal('PEM');
  });

  it('is refused with ERR_USAGE_FILE where there is no such file', async () => {
    expect(await codeOfRejection(readPrivateKey(join(folder, 'none'), options))).to.equal('ERR_USAGE_FILE');
  });

  for (const reference of ['awskms:///alias/x', 'k8s://', 'k8s://tekton-chains', 'k8s://a/b/c']) {
    it(`is refused as ${reference} with ERR_USAGE_KEY, before anybody is asked`, async () => {
      expect(await codeOfRejection(readPrivateKey(reference, options))).to.equal('ERR_USAGE_KEY');
    });
  }
});
