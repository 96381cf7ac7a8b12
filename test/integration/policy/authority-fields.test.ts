import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { run } from '../../../hack/stack/process/run.ts';
import { identityToken } from '../../../hack/stack/stack.ts';
import { openJudging } from '../../../src/commands/policy/judging-session.ts';
import { asPodImage } from '../../../src/commands/policy/test-images.ts';
import { parseClusterImagePolicy } from '../../../src/policy/cluster-image-policy.ts';
import { explainFully } from '../../../src/policy/explanation.ts';
import { parseTrustRootObject } from '../../../src/policy/trust-root-object.ts';
import type { TrustRootObject } from '../../../src/policy/trust-root-object.ts';
import { resolveSettings } from '../../../src/settings/resolution.ts';
import { controllerAccount } from '../../support/account-kubeconfig.ts';
import { newAuthorityChain } from '../../support/certificate-chains.ts';
import { pushImage, pushIndex } from '../../support/images.ts';
import type { PushedImage } from '../../support/images.ts';
import { pipelineIdentity } from '../../support/judges.ts';
import { patientLimits } from '../../support/patient-limits.ts';
import { openScene } from '../../support/scene.ts';
import type { Scene } from '../../support/scene.ts';
import { trustRootObject } from '../../support/trust-root.ts';

/** A key pair of which cosign has the private half. */
interface CosignKey {
  readonly file: string;
  readonly publicPem: string;
  readonly privatePem: string;
}

interface SignatureManifest {
  readonly layers: [{ readonly digest: string; readonly annotations: Record<string, string> }];
}

describe('fields of an authority, on evidence of the real cosign', function () {
  let scene: Scene;
  let folder: string;
  let count = 0;
  const password = { COSIGN_PASSWORD: 'lab' };
  const tagLayout = ['--new-bundle-format=false', '--use-signing-config=false'];

  before(async () => {
    scene = await openScene();
    folder = await mkdtemp(join(tmpdir(), 'chainwright-fields-'));
  });
  after(async () => {
    await rm(folder, { recursive: true });
    await scene[Symbol.asyncDispose]();
  });

  const push = (): Promise<PushedImage> => pushImage(scene.registry, `${scene.stack.registry}/fields`);
  const cosign = async (args: readonly string[], env: Record<string, string> = {}): Promise<void> => {
    const { code, stderr } = await scene.judges.cosign(args, { ...password, ...env });
    if (code !== 0) throw new Error(`cosign ${String(args[0])}: ${stderr}`);
  };
  const crane = (...args: string[]): Promise<string> =>
    run(join(scene.stack.bin, 'crane'), args, {
      env: { ...scene.stack.env, PATH: process.env['PATH'] ?? '' },
    });
  const makeKey = async (curve: string): Promise<CosignKey> => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: curve });
    const prefix = join(folder, `key-${(count += 1)}`);
    const privatePem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    await writeFile(`${prefix}.pem`, privatePem);
    await cosign(['import-key-pair', '--yes', '--key', `${prefix}.pem`, '--output-key-prefix', prefix]);
    const publicPem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
    return { file: `${prefix}.key`, publicPem, privatePem };
  };
  const signBy = async (
    { file }: CosignKey,
    { ref }: PushedImage,
    flags: readonly string[] = [],
    env: Record<string, string> = {},
  ): Promise<void> => {
    const log = ['--rekor-url', scene.stack.rekorUrl];
    await cosign(['sign', '--yes', '--key', file, ...tagLayout, ...log, ...flags, ref], env);
  };
  const judge = async ({ ref }: PushedImage, authority: object, more: object = {}): Promise<string> => {
    const { stack } = scene;
    const policy = {
      apiVersion: 'policy.sigstore.dev/v1beta1',
      kind: 'ClusterImagePolicy',
      metadata: { name: 'fields' },
      spec: { images: [{ glob: '**' }], authorities: [authority], ...more },
    };
    await using closing = new AsyncDisposableStack();
    const none = (): Promise<never> => Promise.reject(new Error('nothing is referred to'));
    const asked = await openJudging({
      settings: resolveSettings({}).settings,
      environment: { SSL_CERT_FILE: stack.ca, DOCKER_CONFIG: stack.env['DOCKER_CONFIG'] },
      trustedRoot: stack.trustedRoot,
      policies: [parseClusterImagePolicy(policy, 'tekton-chains')],
      references: {
        findNamedTrustRoot: (name) => trustRoots.get(name),
        findSecret: none,
        findConfigMapEntry: none,
      },
      noMatch: 'deny',
      limits: patientLimits,
      signal: AbortSignal.timeout(120_000),
      closing,
    });
    const judgement = await asked(asPodImage(ref));
    return judgement.outcome === 'admitted' ? 'admitted' : explainFully(judgement);
  };
  const logged = { ctlog: { url: 'https://rekor.example' } };
  const trustRoots = new Map<string, TrustRootObject>();
  /** A TrustRoot object with the stack's keys but for `change`. */
  const putTrustRoot = async (name: string, change: object): Promise<void> => {
    const object = await trustRootObject(scene.stack, name);
    const { spec } = parseTrustRootObject(object);
    const changed = { ...object, spec: { sigstoreKeys: { ...spec.sigstoreKeys, ...change } } };
    trustRoots.set(name, parseTrustRootObject(changed));
  };
  /** Has cosign sign elsewhere, with a log entry, and attach the signature to the image without that entry. */
  const signUnlogged = async (
    image: PushedImage,
    sign: (env: Record<string, string>) => Promise<void>,
  ): Promise<void> => {
    const elsewhere = `${scene.stack.registry}/fields-unlogged`;
    await sign({ COSIGN_REPOSITORY: elsewhere });
    const tag = `${elsewhere}:${image.digest.replace(':', '-')}.sig`;
    const { layers } = JSON.parse(await crane('manifest', tag)) as SignatureManifest;
    const [{ digest, annotations }] = layers;
    expect(annotations['dev.sigstore.cosign/bundle'], 'it was logged').to.be.a('string');
    const file = join(folder, `unlogged-${(count += 1)}`);
    const certificate = annotations['dev.sigstore.cosign/certificate'] ?? '';
    await writeFile(file, await crane('blob', `${elsewhere}@${digest}`));
    await writeFile(`${file}.sig`, annotations['dev.cosignproject.cosign/signature'] ?? '');
    await writeFile(`${file}.crt`, certificate);
    const chain = certificate === '' ? [] : ['--certificate', `${file}.crt`];
    const parts = ['--payload', file, '--signature', `${file}.sig`, ...chain];
    await cosign(['attach', 'signature', ...parts, image.ref]);
  };
  const signKeyless = async (
    { ref }: PushedImage,
    layout: readonly string[],
    env: Record<string, string> = {},
  ): Promise<void> => {
    const token = ['--identity-token', await identityToken(controllerAccount)];
    const root = ['--trusted-root', scene.stack.trustedRoot];
    await cosign(['sign', '--yes', ...token, ...root, ...layout, ref], env);
  };
  const tagKeyless = (): readonly string[] => {
    const { fulcioUrl, rekorUrl } = scene.stack;
    return [...tagLayout, '--fulcio-url', fulcioUrl, '--rekor-url', rekorUrl];
  };

  for (const [curve, own] of [
    ['P-256', 'sha256'],
    ['P-384', 'sha384'],
    ['P-521', 'sha512'],
  ] as const) {
    it(`key.hashAlgorithm: ${own} is what cosign signs with by a key on ${curve}, logged`, async () => {
      const [image, key] = [await push(), await makeKey(curve)];
      await signBy(key, image);
      for (const hashAlgorithm of ['', 'sha224', 'sha256', 'sha384', 'sha512']) {
        const said = await judge(image, { key: { data: key.publicPem, hashAlgorithm }, ...logged });
        if (['', own].includes(hashAlgorithm)) expect(said, hashAlgorithm).to.equal('admitted');
        else expect(said, hashAlgorithm).to.include('the signature does not match');
      }
    });
  }

  it('key.hashAlgorithm: also of a key’s signature in a bundle, which cosign 3.1.3 makes on P-256 alone', async () => {
    const [image, key] = [await push(), await makeKey('P-256')];
    const services = [
      ...['--signing-config', scene.stack.env['STACK_SIGNING_CONFIG'] ?? ''],
      ...['--trusted-root', scene.stack.trustedRoot],
    ];
    await cosign(['sign', '--yes', '--key', key.file, ...services, image.ref]);
    const asBundle = (hashAlgorithm: string): object => ({
      key: { data: key.publicPem, hashAlgorithm },
      signatureFormat: 'bundle',
      ...logged,
    });
    expect(await judge(image, asBundle('sha256'))).to.equal('admitted');
    expect(await judge(image, asBundle('sha512'))).to.include('the signature does not match');
  });

  it('key.hashAlgorithm: a signature of one by one’s own hand, attached by cosign', async () => {
    const [image, key] = [await push(), await makeKey('P-256')];
    const payload = join(folder, 'payload.json');
    const identity = { 'docker-reference': image.repository };
    const signed = {
      identity,
      image: { 'docker-manifest-digest': image.digest },
      type: 'cosign container image signature',
    };
    await writeFile(payload, JSON.stringify({ critical: signed, optional: null }));
    const signature = sign('sha224', await readFile(payload), key.privatePem).toString('base64');
    await writeFile(`${payload}.sig`, signature);
    await cosign(['attach', 'signature', '--payload', payload, '--signature', `${payload}.sig`, image.ref]);
    const data = key.publicPem;
    expect(await judge(image, { key: { data, hashAlgorithm: 'sha224' } })).to.equal('admitted');
    expect(await judge(image, { key: { data } })).to.include('the signature does not match');
  });

  it('source.oci and tagPrefix: another repository, another tag', async () => {
    const [image, key] = [await push(), await makeKey('P-256')];
    const elsewhere = `${scene.stack.registry}/fields-signatures`;
    await signBy(key, image, [], { COSIGN_REPOSITORY: elsewhere });
    const byKey = { key: { data: key.publicPem }, ...logged };
    expect(await judge(image, byKey)).to.include('no signature lies beside the image');
    expect(await judge(image, { ...byKey, source: [{ oci: elsewhere }] })).to.equal('admitted');
    const prefixed = `${scene.stack.registry}/fields-prefixed`;
    const tag = `${image.digest.replace(':', '-')}.sig`;
    await crane('copy', `${elsewhere}:${tag}`, `${prefixed}:release-${tag}`);
    const source = (tagPrefix: string): object => ({ ...byKey, source: [{ oci: prefixed, tagPrefix }] });
    expect(await judge(image, source('release-'))).to.equal('admitted');
    expect(await judge(image, source(''))).to.include('no signature lies');
  });

  it('rfc3161timestamp: wants the timestamp of an authority, and a log entry does not stand in for it', async () => {
    const [stamped, plain, key] = [await push(), await push(), await makeKey('P-256')];
    await signBy(key, stamped, ['--timestamp-server-url', scene.stack.env['STACK_TSA_URL'] ?? '']);
    await signBy(key, plain);
    const byKey = { key: { data: key.publicPem }, rfc3161timestamp: {} };
    expect(await judge(stamped, byKey)).to.equal('admitted');
    expect(await judge(plain, byKey)).to.include('no timestamp of a timestamp authority');
  });

  it('ctlog: wants a log entry of a key’s signature', async () => {
    const [image, key] = [await push(), await makeKey('P-256')];
    await signBy(key, image, ['--tlog-upload=false']);
    const byKey = (ctlog: object): object => ({ key: { data: key.publicPem }, ctlog });
    expect(await judge(image, { key: { data: key.publicPem } })).to.equal('admitted');
    expect(await judge(image, byKey({}))).to.include('no entry in a transparency log');
    const { rekorUrl } = scene.stack;
    expect(await judge(image, byKey({ url: rekorUrl }))).to.include(`${rekorUrl} has none for it`);
  });

  for (const curve of ['P-256', 'P-384']) {
    it(`ctlog.url: asks that log about a signature on ${curve} without its entry, and no other will do`, async () => {
      const [image, key] = [await push(), await makeKey(curve)];
      await signUnlogged(image, (env) => signBy(key, image, ['--tlog-upload=true'], env));
      const byKey = (ctlog: object): object => ({ key: { data: key.publicPem }, ctlog });
      const { rekorUrl, env } = scene.stack;
      expect(await judge(image, byKey({ url: rekorUrl }))).to.equal('admitted');
      expect(await judge(image, byKey({}))).to.include('no entry in a transparency log');
      const another = env['STACK_REKOR2_URL'] ?? '';
      expect(await judge(image, byKey({ url: another }))).to.include(another);
      expect(await judge(image, byKey({ url: 'http://127.0.0.1:1' }))).to.include(
        'http://127.0.0.1:1/api/v1/log/entries/retrieve could not be reached',
      );
      const { tLogs } =
        parseTrustRootObject(await trustRootObject(scene.stack, 'all')).spec.sigstoreKeys ?? {};
      await putTrustRoot('rekor', { tLogs: tLogs?.filter(({ baseURL }) => baseURL === rekorUrl) });
      await putTrustRoot('rekor2', { tLogs: tLogs?.filter(({ baseURL }) => baseURL === another) });
      expect(await judge(image, byKey({ trustRootRef: 'rekor' }))).to.equal('admitted');
      expect(await judge(image, byKey({ trustRootRef: 'rekor2', url: rekorUrl }))).not.to.equal('admitted');
    });
  }

  it('ctlog.url: asks about the signature of a certificate, and wants the authority’s identity before', async () => {
    const image = await push();
    await signUnlogged(image, (env) => signKeyless(image, tagKeyless(), env));
    const { rekorUrl, issuer } = scene.stack;
    const byIdentity = (subject: string, ctlog: object): object => ({
      keyless: { identities: [{ issuer, subject }] },
      ctlog,
    });
    expect(await judge(image, byIdentity(pipelineIdentity, { url: rekorUrl }))).to.equal('admitted');
    expect(await judge(image, byIdentity(pipelineIdentity, {}))).to.include('no entry in a transparency log');
    const another = await judge(image, byIdentity('https://somebody.example', { url: 'http://127.0.0.1:1' }));
    expect(another).to.include('https://somebody.example').and.not.to.include('127.0.0.1:1');
  });

  it('ctlog.url: asks about an attestation', async () => {
    const [image, key] = [await push(), await makeKey('P-256')];
    const predicate = join(folder, 'predicate.json');
    await writeFile(predicate, '{"a":1}');
    const type = 'https://example.com/claim';
    const { rekorUrl, registry } = scene.stack;
    const flags = ['--key', key.file, '--type', type, '--predicate', predicate, '--rekor-url', rekorUrl];
    await cosign(['attest', '--yes', ...tagLayout, ...flags, image.ref]);
    await signBy(key, image);
    const tag = `${image.digest.replace(':', '-')}.att`;
    const stripped = `${registry}/fields-stripped`;
    await crane('copy', `${image.repository}:${tag}`, `${stripped}:${tag}`);
    await crane(
      'copy',
      `${image.repository}:${tag.replace('.att', '.sig')}`,
      `${stripped}:${tag.replace('.att', '.sig')}`,
    );
    const manifest = JSON.parse(await crane('manifest', `${stripped}:${tag}`)) as SignatureManifest;
    delete manifest.layers[0].annotations['dev.sigstore.cosign/bundle'];
    const bytes = Buffer.from(JSON.stringify(manifest));
    await scene.registry.putManifest(stripped, bytes, 'application/vnd.oci.image.manifest.v1+json', tag);
    const byKey = (ctlog: object): object => ({
      key: { data: key.publicPem },
      source: [{ oci: stripped }],
      attestations: [{ name: 'claim', predicateType: type }],
      ctlog,
    });
    expect(await judge(image, byKey({ url: rekorUrl }))).to.equal('admitted');
    expect(await judge(image, byKey({}))).to.include('it has no entry in a transparency log');
  });

  it('ctlog.trustRootRef and rfc3161timestamp.trustRootRef: other keys than keyless.trustRootRef', async () => {
    const [logged, stamped] = [await push(), await push()];
    const stamp = ['--timestamp-server-url', scene.stack.env['STACK_TSA_URL'] ?? ''];
    await signKeyless(logged, tagKeyless());
    await signKeyless(stamped, [...tagKeyless(), ...stamp]);
    await putTrustRoot('whole', {});
    await putTrustRoot('authority', { tLogs: [], timestampAuthorities: [] });
    await putTrustRoot('witnesses', { certificateAuthorities: [], ctLogs: [] });
    const identities = [{ issuer: scene.stack.issuer, subject: pipelineIdentity }];
    for (const [field, image] of [
      ['ctlog', logged],
      ['rfc3161timestamp', stamped],
    ] as const) {
      const judgeBy = (own: string, more: object): Promise<string> =>
        judge(image, { keyless: { identities, trustRootRef: own }, ...more });
      const witnessed = (trustRootRef: string): object => ({ [field]: { trustRootRef } });
      expect(await judgeBy('whole', witnessed('whole')), field).to.equal('admitted');
      expect(await judgeBy('authority', witnessed('witnesses')), field).to.equal('admitted');
      expect(await judgeBy('authority', witnessed('authority')), field).not.to.equal('admitted');
      expect(await judgeBy('witnesses', witnessed('whole')), field).not.to.equal('admitted');
      expect(await judgeBy('authority', witnessed('absent')), field).to.include(
        'trustRootRef absent not found',
      );
    }
  });

  for (const signatureFormat of ['legacy', 'bundle']) {
    it(`keyless.ca-cert, signatureFormat ${signatureFormat}: Fulcio's own certificate admits, another does not`, async () => {
      const image = await push();
      const { env } = scene.stack;
      const isBundle = signatureFormat === 'bundle';
      await signKeyless(
        image,
        isBundle ? ['--signing-config', env['STACK_SIGNING_CONFIG'] ?? ''] : tagKeyless(),
      );
      const identities = [{ issuer: scene.stack.issuer, subject: pipelineIdentity }];
      const byAuthority = (data: string): object => ({
        keyless: { 'ca-cert': { data }, identities },
        signatureFormat,
      });
      const fulcio = await readFile(env['STACK_FULCIO_ROOT'] ?? '', 'utf8');
      expect(await judge(image, byAuthority(fulcio))).to.equal('admitted');
      const { root } = await newAuthorityChain();
      expect(await judge(image, byAuthority(root))).to.include('none of the authorities in ca-cert issued');
    });
  }

  it('policy.fetchConfigFile: a CUE rule over the configs of an index', async () => {
    const key = await makeKey('P-256');
    const index = await pushIndex(scene.registry, `${scene.stack.registry}/fields`);
    await signBy(key, index);
    const judgeBy = (architecture: string): Promise<string> =>
      judge(
        index,
        { key: { data: key.publicPem } },
        {
          policy: {
            type: 'cue',
            fetchConfigFile: true,
            data: `config: "linux/${architecture}": os: "linux"`,
          },
        },
      );
    expect(await judgeBy('arm64')).to.equal('admitted');
    expect(await judgeBy('riscv64')).to.include('config');
  });
});
