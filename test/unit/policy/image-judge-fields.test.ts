import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { AppError } from '../../../src/model/errors.ts';
import type { PinnedImage } from '../../../src/model/image-reference.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import { attachmentTag } from '../../../src/registry/attachments-by-tag.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import { openLayoutStore } from '../../../src/registry/oci-layout-store.ts';
import { encodeSimpleSigning } from '../../../src/statements/simple-signing.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { appendAttachments } from '../../../src/registry/attachments-by-tag.ts';
import { rejectionOf } from '../registry/rejection.ts';
import { soon } from '../registry/sample-images.ts';
import { judge, overlaid, policyObject } from './judging.ts';
import { attachAttestation, attachSignature, makeKey, pushTestImage } from './key-evidence.ts';
import type { TestKey } from './key-evidence.ts';

type Judgement = Awaited<ReturnType<typeof judge>>;

describe('judging by the fields of an authority', () => {
  let folder = '';
  let store: ImageStore;
  let ours: TestKey;
  let count = 0;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-fields-'));
    store = await openLayoutStore(folder, systemClock);
    ours = await makeKey();
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const image = (): Promise<PinnedImage> => pushTestImage(store, `image ${(count += 1)}`);
  const byKey = (more: object = {}): Record<string, unknown> =>
    policyObject([{ key: { data: ours.pem }, ...more }]);
  const reasonsOf = ({ policies }: Judgement): string =>
    policies
      .flatMap(({ authorities, reasons }) => [
        ...reasons,
        ...authorities.flatMap(({ checks }) => checks.flatMap((check) => check.reasons)),
      ])
      .map(({ code, message }) => `${code} ${message}`)
      .join('\n');

  it('source.tagPrefix: looks at the tags that begin with it, and at no others', async () => {
    const pinned = await image();
    await attachSignature(store, pinned, ours);
    const prefixed = byKey({ source: [{ tagPrefix: 'release-' }] });
    expect((await judge(store, pinned, [prefixed])).outcome).to.equal('denied');
    const stored = await store.getManifest(pinned.repository, attachmentTag(pinned.digest, 'sig'), {
      signal: soon(),
    });
    const tag = attachmentTag(pinned.digest, 'sig', 'release-');
    expect(tag).to.match(/^release-sha256-[0-9a-f]{64}\.sig$/);
    const manifest = { bytes: stored!.bytes, mediaType: mediaTypes.ociManifest };
    await store.putManifest(pinned.repository, tag, manifest, { signal: soon() });
    expect((await judge(store, pinned, [prefixed])).outcome).to.equal('admitted');
  });

  it('source.tagPrefix: denies with ERR_POLICY_INVALID for what begins no tag', async () => {
    const pinned = await image();
    for (const tagPrefix of ['../', 'a/b', '.a', 'x'.repeat(51)]) {
      const denied = await judge(store, pinned, [byKey({ source: [{ tagPrefix }] })]);
      expect(denied.outcome, tagPrefix).to.equal('denied');
      expect(reasonsOf(denied)).to.include('ERR_POLICY_INVALID');
    }
  });

  it('source.oci: a registry alone stands for the path of the image there', async () => {
    const pinned = await image();
    const { path } = pinned.repository;
    const asked: string[] = [];
    const watched = overlaid(store, {
      listReferrers: (...args: Parameters<ImageStore['listReferrers']>) => {
        asked.push(`${args[0].registry}/${args[0].path}`);
        return store.listReferrers(...args);
      },
    });
    await judge(watched, pinned, [byKey({ source: [{ oci: 'mirror.example:5000' }] })]);
    await judge(watched, pinned, [byKey({ source: [{ oci: 'mirror.example/a/b' }] })]);
    expect(asked).to.deep.equal([`mirror.example:5000/${path}`, 'mirror.example/a/b']);
  });

  it('source.signaturePullSecrets: reads the evidence with the store for these Secrets', async () => {
    const pinned = await image();
    await attachSignature(store, pinned, ours);
    const source = [{ signaturePullSecrets: [{ name: 'one' }, { name: 'two' }] }];
    const asked: (readonly string[])[] = [];
    const storeFor = (pullSecrets: readonly string[]): Promise<ImageStore> => {
      asked.push(pullSecrets);
      return Promise.resolve(store);
    };
    const policy = byKey({ source });
    expect((await judge(store, pinned, [policy, byKey()], { storeFor })).outcome).to.equal('admitted');
    expect(asked).to.deep.equal([['one', 'two']]);
  });

  it('source.signaturePullSecrets: tells of a Secret that is not there, and throws a passing fault', async () => {
    const pinned = await image();
    await attachSignature(store, pinned, ours);
    const policy = byKey({ source: [{ signaturePullSecrets: [{ name: 'gone' }] }] });
    const failing = (kind: 'permanent' | 'passing') => () =>
      Promise.reject(new AppError('ERR_ANY', 'secret "gone" not found', { kind }));
    const denied = await judge(store, pinned, [policy], { storeFor: failing('permanent') });
    expect(reasonsOf(denied)).to.include('signaturePullSecrets: secret "gone" not found');
    const fault = await rejectionOf(judge(store, pinned, [policy], { storeFor: failing('passing') }));
    expect(fault.code).to.equal('ERR_ANY');
  });

  it('key.kms: takes the key that the KMS holds', async () => {
    const pinned = await image();
    await attachSignature(store, pinned, ours);
    const kms = 'hashivault://cosign';
    const policy = policyObject([{ key: { kms } }]);
    const kmsKeys = { [kms]: ours.pem };
    expect((await judge(store, pinned, [policy], { kmsKeys })).outcome).to.equal('admitted');
    const denied = await judge(store, pinned, [policy]);
    expect(reasonsOf(denied)).to.include('ERR_POLICY_REFERENCE').and.include(kms);
  });

  for (const hashAlgorithm of ['sha224', 'sha256', 'sha384', 'sha512'] as const) {
    it(`key.hashAlgorithm: takes ${hashAlgorithm} alone where it is named`, async () => {
      const pinned = await image();
      const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
      const pem = pair.publicKey.export({ format: 'pem', type: 'spki' }).toString();
      const bytes = encodeSimpleSigning({ dockerReference: 'any', digest: pinned.digest });
      const signature = sign(hashAlgorithm, bytes, createPrivateKey(pair.privateKey.export(pkcs8)));
      const annotations = { 'dev.cosignproject.cosign/signature': signature.toString('base64') };
      const layer = { mediaType: mediaTypes.simpleSigning, bytes, annotations };
      await appendAttachments(store, { target: pinned, kind: 'sig' }, [layer], { signal: soon() });
      const outcomes = await Promise.all(
        ['sha224', 'SHA256', 'sha384', ' sha512'].map(async (wanted) => {
          const policy = policyObject([{ key: { data: pem, hashAlgorithm: wanted } }]);
          return [wanted.trim().toLowerCase(), (await judge(store, pinned, [policy])).outcome] as const;
        }),
      );
      for (const [wanted, outcome] of outcomes) {
        expect(outcome, wanted).to.equal(wanted === hashAlgorithm ? 'admitted' : 'denied');
      }
    });
  }

  for (const [evaluation, expected] of [
    ['strict', { builder: { id: 'b' }, more: 1 }],
    ['permissive', { builder: { id: 'b' }, buildType: '', invocation: { configSource: {} } }],
  ] as const) {
    it(`attestations.predicateType: judges a short name's predicate as ${evaluation} mode has it`, async () => {
      const pinned = await image();
      await attachSignature(store, pinned, ours);
      const predicateType = 'https://slsa.dev/provenance/v0.2';
      await attachAttestation(store, pinned, ours, {
        predicateType,
        predicate: { builder: { id: 'b' }, more: 1 },
      });
      let seen: unknown;
      const rules = { rule: (document: string) => ((seen = JSON.parse(document)), []) };
      const body = { type: 'cue', data: 'rule' };
      const judgeAs = (type: string): Promise<Judgement> => {
        const attestations = [{ name: 'provenance', predicateType: type, policy: body }];
        const policy = policyObject([{ key: { data: ours.pem }, attestations }]);
        const annotations = { 'policy.chainwright.dev/evaluation': evaluation };
        return judge(store, pinned, [{ ...policy, metadata: { name: 'test', annotations } }], { rules });
      };
      expect((await judgeAs('slsaprovenance')).outcome).to.equal('admitted');
      expect(seen).to.have.property('predicate').that.deep.equals(expected);
      await judgeAs(predicateType);
      expect(seen).to.have.nested.property('predicate.more', 1);
      if (evaluation === 'strict') return;
      await attachAttestation(store, pinned, ours, { predicateType, predicate: { builder: 7 } });
      expect((await judgeAs('slsaprovenance')).outcome).to.equal('admitted');
    });
  }

  it('attestations.predicateType: tells of a predicate of another type with ERR_POLICY_DOCUMENT', async () => {
    const pinned = await image();
    const predicateType = 'https://in-toto.io/Link/v1';
    await attachAttestation(store, pinned, ours, { predicateType, predicate: { command: 'make' } });
    const body = { type: 'cue', data: 'rule' };
    const attestations = [{ name: 'link', predicateType: 'link', policy: body }];
    const policy = policyObject([{ key: { data: ours.pem }, attestations }]);
    const annotations = { 'policy.chainwright.dev/evaluation': 'permissive' };
    const denied = await judge(store, pinned, [{ ...policy, metadata: { name: 'test', annotations } }], {
      rules: { rule: () => [] },
    });
    expect(reasonsOf(denied)).to.equal('ERR_POLICY_DOCUMENT predicate.command is not a list');
  });

  it('policy.remote: compiles the text at the address, of an attestation and of the whole', async () => {
    const pinned = await image();
    await attachSignature(store, pinned, ours);
    const remote = { url: 'https://policies.example/a.cue', sha256sum: 'ab'.repeat(32) };
    const seen: string[] = [];
    const rules = { [remote.url]: (document: string) => (seen.push(document), ['no']) };
    const policy = policyObject([{ key: { data: ours.pem } }], { policy: { type: 'cue', remote } });
    expect((await judge(store, pinned, [policy], { rules })).outcome).to.equal('denied');
    expect(seen).to.have.length(1);
  });

  it('policy.fetchConfigFile: puts the configs into the document, and denies if one cannot be had', async () => {
    const pinned = await image();
    await attachSignature(store, pinned, ours);
    let seen: unknown;
    const rules = { rule: (document: string) => ((seen = JSON.parse(document)), []) };
    const policy = policyObject([{ key: { data: ours.pem } }], {
      policy: { type: 'cue', data: 'rule', fetchConfigFile: true },
    });
    expect((await judge(store, pinned, [policy], { rules })).outcome).to.equal('admitted');
    expect(seen)
      .to.have.property('config')
      .that.deep.equals({ linux: { os: 'linux' } });
    const noBlob = overlaid(store, {
      getBlob: (...[repository, blob, options]: Parameters<ImageStore['getBlob']>) =>
        blob.size < 20 ? Promise.resolve(Buffer.from('[]')) : store.getBlob(repository, blob, options),
    });
    const denied = await judge(noBlob, pinned, [policy], { rules });
    expect(denied.outcome).to.equal('denied');
    expect(reasonsOf(denied)).to.include('ERR_POLICY_CONFIG failed to get a ConfigFile');
  });
});

const pkcs8 = { format: 'pem', type: 'pkcs8' } as const;
