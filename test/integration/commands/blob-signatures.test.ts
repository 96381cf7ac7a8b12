import { generateKeyPairSync, hash, randomUUID } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { expect } from 'chai';
import { pipelineIdentity } from '../../support/judges.ts';
import { OperatorDesk } from './operator-commands.ts';

const kinds: Readonly<Record<string, () => { privateKey: KeyObject; publicKey: KeyObject }>> = {
  'ECDSA P-256': () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RSA: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  Ed25519: () => generateKeyPairSync('ed25519'),
};
const older = ['--new-bundle-format=false', '--use-signing-config=false'];

describe('sign-blob and verify-blob beside the real cosign', function () {
  let desk: OperatorDesk;
  let blob: string;
  let identity: string[];

  before(async () => {
    desk = await OperatorDesk.open();
    blob = await desk.write('layout.json', '{"_type":"layout"}');
    identity = [
      `--certificate-identity=${pipelineIdentity}`,
      `--certificate-oidc-issuer=${desk.stack.issuer}`,
    ];
  });
  after(() => desk[Symbol.asyncDispose]());

  const passes = async (run: Promise<{ code: number | null; stderr: string }>): Promise<void> => {
    const { code, stderr } = await run;
    expect(code, stderr).to.equal(0);
  };
  /** A file that the log knows nothing of yet, and a wait for its index, which Rekor writes after it has answered. */
  const freshBlob = async (): Promise<{ file: string; logged: (entries: number) => Promise<unknown> }> => {
    const content = JSON.stringify({ _type: 'layout', name: randomUUID() });
    const file = await desk.write('fresh.json', content);
    const digest = `sha256:${hash('sha256', content, 'hex')}`;
    return { file, logged: (entries) => desk.judges.searchUntilFound(digest, entries) };
  };
  const root = (): string => `--trusted-root=${desk.stack.trustedRoot}`;

  for (const [kind, makeKeys] of Object.entries(kinds)) {
    it(`signs with a plain ${kind} key so that cosign verifies signature and both bundles`, async () => {
      const { privateKey, publicKey } = makeKeys();
      const key = await desk.write('key.pem', privateKey.export({ format: 'pem', type: 'pkcs8' }).toString());
      const pub = await desk.write('key.pub', publicKey.export({ format: 'pem', type: 'spki' }).toString());
      const [signature, bundle, cosignBundle] = ['o.sig', 'o.json', 'o.old'].map((name) => desk.path(name));
      // What a log is told of is a digest, which plain Ed25519 does not sign.
      const unlogged = kind === 'Ed25519';
      const upload = unlogged ? ['--tlog-upload=false'] : [];
      const ignore = unlogged ? ['--insecure-ignore-tlog'] : [];
      await passes(
        desk.ours(
          'sign-blob',
          '--key',
          key,
          ...upload,
          `--output-signature=${signature}`,
          `--bundle=${bundle}`,
          blob,
        ),
      );
      await passes(
        desk.ours(
          'sign-blob',
          '--key',
          key,
          ...upload,
          '--new-bundle-format=false',
          `--bundle=${cosignBundle}`,
          blob,
        ),
      );
      const verify = ['verify-blob', '--key', pub, ...ignore];
      await passes(desk.cosign(...verify, '--bundle', bundle ?? '', root(), blob));
      await passes(desk.cosign(...verify, '--new-bundle-format=false', '--bundle', cosignBundle ?? '', blob));
      await passes(
        desk.cosign(
          'verify-blob',
          '--key',
          pub,
          '--insecure-ignore-tlog',
          '--new-bundle-format=false',
          `--signature=${signature}`,
          blob,
        ),
      );
      await passes(desk.ours(...verify, '--bundle', bundle ?? '', blob));
      await passes(desk.ours(...verify, '--signature', signature ?? '', blob));
    });
  }

  it('signs with an identity token so that cosign verifies signature, certificate and both bundles', async () => {
    const token = await desk.tokenFile();
    const { file, logged } = await freshBlob();
    const [signature, certificate, bundle, old] = ['k.sig', 'k.crt', 'k.json', 'k.old'].map((name) =>
      desk.path(name),
    );
    const outputs = [
      `--output-signature=${signature}`,
      `--output-certificate=${certificate}`,
      `--bundle=${bundle}`,
    ];
    await passes(desk.ours('sign-blob', '--identity-token', token, ...outputs, file));
    await passes(
      desk.ours('sign-blob', '--identity-token', token, '--new-bundle-format=false', `--bundle=${old}`, file),
    );
    await passes(desk.cosign('verify-blob', ...identity, root(), `--bundle=${bundle}`, file));
    await passes(
      desk.cosign('verify-blob', ...identity, '--new-bundle-format=false', `--bundle=${old}`, file),
    );
    await logged(2);
    const parts = [
      `--signature=${signature}`,
      `--certificate=${certificate}`,
      `--rekor-url=${desk.stack.rekorUrl}`,
    ];
    await passes(desk.cosign('verify-blob', ...identity, '--new-bundle-format=false', ...parts, file));
    await passes(desk.ours('verify-blob', ...identity, ...parts, file));
  });

  it('verifies what cosign signed with its encrypted key, and refuses another file with ERR_VERIFY_PAYLOAD_DIGEST', async () => {
    const prefix = desk.path('lab');
    await passes(desk.cosign('generate-key-pair', `--output-key-prefix=${prefix}`));
    const bundle = desk.path('c.json');
    const rekor = ['--use-signing-config=false', `--rekor-url=${desk.stack.rekorUrl}`];
    await passes(
      desk.cosign('sign-blob', '--yes', `--key=${prefix}.key`, ...rekor, `--bundle=${bundle}`, blob),
    );
    await passes(desk.ours('verify-blob', `--key=${prefix}.pub`, `--bundle=${bundle}`, blob));
    const other = await desk.write('other.json', '{}');
    const refused = await desk.ours('verify-blob', `--key=${prefix}.pub`, `--bundle=${bundle}`, other);
    expect(refused.code).to.equal(1);
    expect(refused.stderr).to.include('ERR_VERIFY_PAYLOAD_DIGEST');
  });

  it('verifies what cosign signed in its older format, asking the log for the entry', async () => {
    const token = await desk.tokenFile();
    const { file, logged } = await freshBlob();
    const [signature, certificate] = ['c.sig', 'c.crt'].map((name) => desk.path(name));
    const servers = [`--fulcio-url=${desk.stack.fulcioUrl}`, `--rekor-url=${desk.stack.rekorUrl}`];
    const outputs = [`--output-signature=${signature}`, `--output-certificate=${certificate}`];
    await passes(
      desk.cosign('sign-blob', '--yes', '--identity-token', token, ...older, ...servers, ...outputs, file),
    );
    await logged(1);
    await passes(
      desk.ours('verify-blob', ...identity, `--signature=${signature}`, `--certificate=${certificate}`, file),
    );
  });

  it('refuses to log a signature of Ed25519 with ERR_SIGN_BLOB_LOG', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const key = await desk.write('ed.pem', privateKey.export({ format: 'pem', type: 'pkcs8' }).toString());
    const { code, stderr } = await desk.ours('sign-blob', '--key', key, blob);
    expect(code).to.equal(1);
    expect(stderr).to.include('ERR_SIGN_BLOB_LOG');
  });
});
