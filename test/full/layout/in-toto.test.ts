import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { runCli } from '../../integration/commands/cli.ts';

const run = promisify(execFile);
const fixtures = new URL('../../fixtures/layouts/', import.meta.url).pathname;
const kinds: Readonly<Record<string, () => { privateKey: KeyObject; publicKey: KeyObject }>> = {
  'ECDSA P-256': () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'ECDSA P-384': () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  RSA: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  Ed25519: () => generateKeyPairSync('ed25519'),
};

describe('layouts beside the real in-toto', function () {
  this.timeout(300_000);
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-in-toto-'));
    await run('python3', ['-m', 'venv', join(folder, 'python')]);
    const pip = join(folder, 'python/bin/pip');
    await run(pip, ['install', '--quiet', 'in-toto==3.1.0', 'securesystemslib==1.6.0', 'cryptography']);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const ours = async (...args: readonly string[]) => runCli(['layout', ...args], { cwd: folder });

  for (const [kind, makeKeys] of Object.entries(kinds)) {
    for (const wrapping of ['metablock', 'dsse']) {
      it(`signed by us with ${kind} in a ${wrapping} hold for in-toto-verify, and changed ones do not`, async () => {
        const { privateKey, publicKey } = makeKeys();
        const [key, pub, signed] = ['owner.pem', 'owner.pub', 'signed.layout'].map((name) =>
          join(folder, name),
        );
        await writeFile(key ?? '', privateKey.export({ format: 'pem', type: 'pkcs8' }));
        await writeFile(pub ?? '', publicKey.export({ format: 'pem', type: 'spki' }));
        const plain = join(fixtures, wrapping, 'plain.layout');
        const made = await ours('sign', '--key', key ?? '', '--output', signed ?? '', plain);
        expect(made.code, made.stderr).to.equal(0);
        const links = join(fixtures, wrapping);
        const verify = ['-l', signed ?? '', '--verification-keys', pub ?? '', '--link-dir', links];
        await run(join(folder, 'python/bin/in-toto-verify'), verify);
        const again = await ours('verify', '--layout-key', pub ?? '', '--links', links, signed ?? '');
        expect(again.code, again.stderr).to.equal(0);
        const text = await readFile(signed ?? '', 'utf8');
        await writeFile(signed ?? '', text.replace(/lab|(?<="payload":")eyJ/, 'eyK'));
        const refused = await run(join(folder, 'python/bin/in-toto-verify'), verify).then(
          () => 'passed',
          () => 'refused',
        );
        expect(refused).to.equal('refused');
      });
    }
  }

  it('made anew by it hold for us', async () => {
    const fresh = join(folder, 'fresh');
    await mkdir(fresh);
    await cp(join(fixtures, 'make.py'), join(fresh, 'make.py'));
    await run(join(folder, 'python/bin/python'), [join(fresh, 'make.py')]);
    expect(await readdir(fresh)).to.include('sublayout');
    for (const file of [
      'metablock/plain',
      'dsse/plain',
      'metablock/threshold',
      'dsse/threshold',
      'sublayout/outer',
    ]) {
      const links = join(fresh, file.split('/')[0] ?? '');
      const args = [
        '--layout-key',
        join(fresh, 'alice.pub'),
        '--links',
        links,
        join(fresh, `${file}.layout`),
      ];
      const { code, stderr } = await ours('verify', ...args);
      expect(code, stderr).to.equal(0);
    }
  });
});
