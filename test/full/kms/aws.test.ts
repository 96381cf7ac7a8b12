import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { freePort } from '../../support/free-port.ts';
import { runCli } from '../../integration/commands/cli.ts';

const run = promisify(execFile);
const credentials = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_REGION: 'eu-central-1' };

describe('keys in AWS KMS, as moto plays it', function () {
  this.timeout(300_000);
  let folder: string;
  let moto: ChildProcess;
  let address: string;
  let authority: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-moto-'));
    await run('python3', ['-m', 'venv', join(folder, 'python')]);
    await run(join(folder, 'python/bin/pip'), [
      'install',
      '--quiet',
      'moto[server,kms]==5.1.22',
      'cryptography',
    ]);
    authority = join(folder, 'moto.crt');
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'];
    const names = [
      '-addext',
      'subjectAltName=DNS:localhost',
      '-keyout',
      join(folder, 'moto.key'),
      '-out',
      authority,
    ];
    await run('openssl', [...request, ...names]);
    const port = await freePort();
    address = `localhost:${port}`;
    const tls = ['--ssl-cert', authority, '--ssl-key', join(folder, 'moto.key')];
    await writeFile(join(folder, 'server.py'), server);
    moto = spawn(join(folder, 'python/bin/python'), [
      join(folder, 'server.py'),
      '-H',
      '127.0.0.1',
      '-p',
      String(port),
      ...tls,
    ]);
    await started(moto);
  });
  after(async () => {
    moto.kill();
    await once(moto, 'exit');
    await rm(folder, { recursive: true, force: true });
  });

  const ours = (...args: readonly string[]) =>
    runCli(args, { cwd: folder, env: { ...credentials, SSL_CERT_FILE: authority } });

  /** Made with AWS's own client for Python, which moto brings along. */
  async function newKey(spec: string): Promise<string> {
    const script = [
      'import boto3, sys',
      'kms = boto3.client("kms", endpoint_url=sys.argv[1])',
      'print(kms.create_key(KeySpec=sys.argv[2], KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"])',
    ].join('\n');
    const env = { ...credentials, AWS_DEFAULT_REGION: credentials.AWS_REGION, AWS_CA_BUNDLE: authority };
    const args = ['-c', script, `https://${address}`, spec];
    const { stdout } = await run(join(folder, 'python/bin/python'), args, { env });
    return `awskms://${address}/${stdout.trim()}`;
  }

  for (const spec of ['ECC_NIST_P256', 'ECC_NIST_P384', 'RSA_2048'] as const) {
    it(`sign and verify files and layouts with ${spec}`, async () => {
      const key = await newKey(spec);
      const file = join(folder, 'file.txt');
      await writeFile(file, 'what is signed');
      const signature = join(folder, `${spec}.sig`);
      const signed = await ours(
        'sign-blob',
        '--key',
        key,
        '--tlog-upload=false',
        '--output-signature',
        signature,
        file,
      );
      expect(signed.code, signed.stderr).to.equal(0);
      const verify = ['verify-blob', '--key', key, '--insecure-ignore-tlog', '--signature', signature];
      const verified = await ours(...verify, file);
      expect(verified.code, verified.stderr).to.equal(0);
      await writeFile(file, 'something else');
      expect((await ours(...verify, file)).stderr).to.include('ERR_VERIFY_SIGNATURE');
      const layout = join(folder, 'kms-layout.json');
      await writeFile(layout, JSON.stringify(emptyLayout));
      const wrapped = await ours(
        'layout',
        'sign',
        '--key',
        key,
        '--output',
        join(folder, 'kms.layout'),
        layout,
      );
      expect(wrapped.code, wrapped.stderr).to.equal(0);
      // The owner's signature holds; the layout itself says nothing, which is found out only after it.
      const judged = await ours('layout', 'verify', '--layout-key', key, join(folder, 'kms.layout'));
      expect(judged.stderr).to.include('it has no steps');
    });
  }

  it('are refused with ERR_KMS_KEY if they are not there', async () => {
    const absent = `awskms://${address}/arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab`;
    const { code, stderr } = await ours(
      'sign-blob',
      '--key',
      absent,
      '--tlog-upload=false',
      join(folder, 'moto.crt'),
    );
    expect(code).to.equal(1);
    expect(stderr).to.include('ERR_KMS_KEY');
  });
});

/** moto hashes what is a digest already (its note: MessageType DIGEST is not yet implemented), which AWS does not. */
const server = `
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto.kms.utils import ECDSAPrivateKey, RSAPrivateKey
from moto.server import main

def sign_by_rsa(self, message, signing_algorithm):
    padding, algorithm = self._RSAPrivateKey__padding_and_hash_algorithm(signing_algorithm)
    return self.private_key.sign(message, padding, Prehashed(algorithm))

def sign_by_ecdsa(self, message, signing_algorithm):
    algorithm = self._ECDSAPrivateKey__hash_algorithm(signing_algorithm)
    return self.private_key.sign(message, ec.ECDSA(Prehashed(algorithm)))

RSAPrivateKey.sign, ECDSAPrivateKey.sign = sign_by_rsa, sign_by_ecdsa
main()
`;

const emptyLayout = {
  _type: 'layout',
  readme: '',
  expires: '2046-01-01T00:00:00Z',
  keys: {},
  steps: [],
  inspect: [],
};

async function started(server: ChildProcess): Promise<void> {
  for await (const chunk of server.stderr ?? []) if (String(chunk).includes('Running on')) return;
  throw new Error('moto did not start');
}
