import { generateKeyPairSync, randomUUID } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { expect } from 'chai';
import { pushImage } from '../../support/images.ts';
import type { PushedImage } from '../../support/images.ts';
import { pipelineIdentity } from '../../support/judges.ts';
import { RegistrySession } from '../../support/registry-session.ts';
import { OperatorDesk } from './operator-commands.ts';

const kinds: Readonly<Record<string, () => { privateKey: KeyObject; publicKey: KeyObject }>> = {
  'ECDSA P-256': () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'ECDSA P-384': () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  'ECDSA P-521': () => generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  RSA: () => generateKeyPairSync('rsa', { modulusLength: 3072 }),
  Ed25519: () => generateKeyPairSync('ed25519'),
};

const digests: Readonly<Record<string, string>> = { 'ECDSA P-384': 'sha384', 'ECDSA P-521': 'sha512' };

interface Attached {
  readonly kind: string;
  readonly refs: readonly { readonly layout: string }[];
  readonly logIndex?: number;
  readonly isNew: boolean;
}

describe('images signed with a key, beside the real cosign', function () {
  let desk: OperatorDesk;
  let registry: RegistrySession;

  before(async () => {
    desk = await OperatorDesk.open();
    registry = await RegistrySession.open({ ca: desk.stack.ca, account: desk.stack.robot });
  });
  after(async () => {
    await registry[Symbol.asyncDispose]();
    await desk[Symbol.asyncDispose]();
  });

  const newImage = (): Promise<PushedImage> =>
    pushImage(registry, `${desk.stack.registry}/keys-${randomUUID()}`);
  const passes = async (
    run: Promise<{ code: number | null; stdout: string; stderr: string }>,
  ): Promise<string> => {
    const { code, stdout, stderr } = await run;
    expect(code, stderr).to.equal(0);
    return stdout;
  };
  const writeKeys = async ({ privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject }) => ({
    key: await desk.write('image.key', privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()),
    pub: await desk.write('image.pub', publicKey.export({ format: 'pem', type: 'spki' }).toString()),
  });

  for (const [kind, makeKeys] of Object.entries(kinds)) {
    it(`are logged with ${kind}, and cosign verifies signature and attestation in each layout`, async () => {
      const { key, pub } = await writeKeys(makeKeys());
      const image = await newImage();
      const predicate = await desk.write('predicate.json', '{"builder":{"id":"lab"},"buildType":"lab"}');
      const attest = [
        'attest',
        '--key',
        key,
        '--type',
        'slsaprovenance',
        '--predicate',
        predicate,
        '-o',
        'json',
      ];
      const signed = [
        ...(JSON.parse(await passes(desk.ours('sign', '--key', key, '-o', 'json', image.ref))) as Attached[]),
        ...(JSON.parse(await passes(desk.ours(...attest, image.ref))) as Attached[]),
      ];
      expect(signed.every(({ logIndex, isNew }) => isNew && logIndex !== undefined)).to.equal(true);
      // The log takes no bare Ed25519 signature of a digest, so that cosign's tag holds none of the image.
      const layouts = signed.flatMap(({ kind: what, refs }) => refs.map(({ layout }) => `${what} ${layout}`));
      const inTag = kind === 'Ed25519' ? [] : ['signature tag'];
      expect(layouts).to.have.members([
        ...inTag,
        'signature referrer',
        'provenance tag',
        'provenance referrer',
      ]);
      const root = `--trusted-root=${desk.stack.trustedRoot}`;
      await passes(desk.cosign('verify', '--key', pub, root, image.ref));
      await passes(desk.cosign('verify-attestation', '--type=slsaprovenance', '--key', pub, root, image.ref));
      const older = ['--new-bundle-format=false', root];
      // Rekor takes of a curve the hash that fits it alone, and cosign can compare no other than SHA-256 with an entry.
      const hash = digests[kind];
      const unlogged = ['--insecure-ignore-tlog', `--signature-digest-algorithm=${hash ?? 'sha256'}`];
      const flags = hash === undefined ? older : [...older, ...unlogged];
      if (kind !== 'Ed25519') await passes(desk.cosign('verify', '--key', pub, ...flags, image.ref));
      await passes(
        desk.cosign('verify-attestation', '--type=slsaprovenance', '--key', pub, ...older, image.ref),
      );
      await passes(desk.ours('verify', '--key', pub, image.ref));
      await passes(desk.ours('verify-attestation', '--type', 'slsaprovenance', '--key', pub, image.ref));
      const again = JSON.parse(
        await passes(desk.ours('sign', '--key', key, '-o', 'json', image.ref)),
      ) as Attached[];
      expect(again.map(({ isNew }) => isNew)).not.to.include(true);
    });
  }

  it('say annotations that cosign asks for, and ours asks for those that cosign said', async () => {
    const { key, pub } = await writeKeys(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
    const image = await newImage();
    await passes(desk.ours('sign', '--key', key, '-a', 'team=clay,stage=prod', image.ref));
    const root = `--trusted-root=${desk.stack.trustedRoot}`;
    for (const layout of [[root], [root, '--new-bundle-format=false']]) {
      await passes(desk.cosign('verify', '--key', pub, ...layout, '-a', 'team=clay', image.ref));
      const { code } = await desk.cosign('verify', '--key', pub, ...layout, '-a', 'team=iron', image.ref);
      expect(code).not.to.equal(0);
    }
    await passes(desk.ours('verify', '--key', pub, '-a', 'team=clay', '-a', 'stage=prod', image.ref));
    const refused = await desk.ours('verify', '--key', pub, '-a', 'team=iron', image.ref);
    expect(refused.code).to.equal(1);
    expect(refused.stderr).to.include('ERR_VERIFY_ANNOTATIONS');
    const theirs = await newImage();
    const rekor = [`--rekor-url=${desk.stack.rekorUrl}`, '--use-signing-config=false', '--yes'];
    const token = await desk.tokenFile();
    const keyless = [`--identity-token=${token}`, `--fulcio-url=${desk.stack.fulcioUrl}`];
    await passes(desk.cosign('sign', ...keyless, ...rekor, '-a', 'team=clay', theirs.ref));
    const signer = [
      `--certificate-identity=${pipelineIdentity}`,
      `--certificate-oidc-issuer=${desk.stack.issuer}`,
    ];
    await passes(desk.ours('verify', ...signer, '-a', 'team=clay', theirs.ref));
  });

  it('have attestations that must each meet a policy: a clean one excuses no other', async () => {
    const { key, pub } = await writeKeys(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
    const image = await newImage();
    const attest = async (critical: number): Promise<void> => {
      const scan = { scanner: { uri: 'lab', result: { critical } } };
      const predicate = await desk.write('scan.json', JSON.stringify(scan));
      await passes(desk.ours('attest', '--key', key, '--type=vuln', '--predicate', predicate, image.ref));
    };
    const policy = await desk.write('none.cue', 'predicate: scanner: result: critical: 0\n');
    const verify = ['verify-attestation', '--type=vuln', '--key', pub, '--policy', policy];
    const root = `--trusted-root=${desk.stack.trustedRoot}`;
    await attest(0);
    await passes(desk.cosign(...verify, root, image.ref));
    await passes(desk.ours(...verify, image.ref));
    await attest(3);
    expect((await desk.cosign(...verify, root, image.ref)).code).not.to.equal(0);
    const refused = await desk.ours(...verify, image.ref);
    expect(refused.code).to.equal(1);
    expect(refused.stderr).to.include('ERR_VERIFY_ATTESTATION').and.to.include('none.cue');
  });

  it('are attached in the one layout that --new-bundle-format asks for', async () => {
    const { key } = await writeKeys(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
    for (const [given, layout] of [
      ['true', 'referrer'],
      ['false', 'tag'],
    ] as const) {
      const image = await newImage();
      const args = ['sign', '--key', key, `--new-bundle-format=${given}`, '-o', 'json', image.ref];
      const [attached, more] = JSON.parse(await passes(desk.ours(...args))) as Attached[];
      expect(attached?.refs.map((ref) => ref.layout)).to.deep.equal([layout]);
      expect(more).to.equal(undefined);
    }
  });

  it('are reached by cosign’s registry flags, where the environment says nothing', async () => {
    const { key } = await writeKeys(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
    const image = await newImage();
    const { user, password } = desk.stack.robot;
    const login = [`--registry-username=${user}`, `--registry-password=${password}`];
    const authority = `--registry-cacert=${desk.stack.env['SSL_CERT_FILE'] ?? ''}`;
    const upload = ['--tlog-upload=false', `--trusted-root=${desk.stack.trustedRoot}`];
    const sign = (...flags: readonly string[]) =>
      desk.oursBare('sign', '--key', key, ...upload, ...flags, image.ref);
    await passes(sign(...login, authority));
    expect((await sign(...login)).code).to.equal(3);
    expect((await sign(authority)).code).not.to.equal(0);
    await passes(sign(...login, '--allow-insecure-registry'));
  });
});
