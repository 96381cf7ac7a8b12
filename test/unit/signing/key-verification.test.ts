import { createPublicKey, generateKeyPairSync, hash, sign as signBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { expect } from 'chai';
import { Agent } from 'undici';
import { startDevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import type { DevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import { verifierPem } from '../../../src/model/signature.ts';
import type { Evidence } from '../../../src/signing/evidence-material.ts';
import { createKeySigner } from '../../../src/signing/key-signer.ts';
import { verifySignedEntity } from '../../../src/signing/verification.ts';
import { encodeCosignAnnotations } from '../../../src/statements/cosign-annotations.ts';
import { encodeEnvelope, inTotoPayloadType, preAuthEncoding } from '../../../src/statements/dsse.ts';
import { encodeBundle } from '../../../src/statements/sigstore-bundle.ts';
import { codeOf } from './codes.ts';
import { attest, openWorkshop, signal } from './signed-evidence.ts';
import type { Workshop } from './signed-evidence.ts';

const payload = Buffer.from('{"critical":{}}');

describe('verifySignedEntity with a key', () => {
  let sigstore: DevelopmentSigstore;
  let workshop: Workshop;
  const agent = new Agent();

  before(async () => {
    sigstore = await startDevelopmentSigstore();
    workshop = openWorkshop(sigstore, agent);
  });
  after(async () => {
    await agent.close();
    await sigstore[Symbol.asyncDispose]();
  });

  const signerOf = (privateKey: KeyObject) =>
    createKeySigner({ pem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString() });
  const sign = async (privateKey: KeyObject, logged: boolean): Promise<Evidence> => {
    const key = await (await signerOf(privateKey)).acquire({ signal });
    const signature = await key.sign(payload);
    const proposal = {
      kind: 'hashedrekord',
      payloadSha256: hash('sha256', payload),
      signature,
      verifierPem: verifierPem(key.material),
    } as const;
    const entry = logged ? (await workshop.rekor.append(proposal, { signal })).entry : undefined;
    const parts = { signature, material: key.material, ...(entry === undefined ? {} : { entry }) };
    return {
      layout: 'tag',
      mediaType: mediaTypes.simpleSigning,
      content: payload,
      annotations: encodeCosignAnnotations(parts),
    };
  };
  const keys = (): KeyObject[] => [
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
    generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
    generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
    generateKeyPairSync('ed25519').privateKey,
  ];

  it('accepts logged signatures of every kind of key', async () => {
    for (const privateKey of keys()) {
      const evidence = await sign(privateKey, true);
      const publicKey = createPublicKey(privateKey);
      const verified = verifySignedEntity(evidence, { kind: 'key', publicKey }, workshop.demands);
      expect(verified.signer.kind).to.equal('key');
      expect(verified.logEntries).to.have.lengthOf(1);
    }
  });

  it('accepts unlogged signatures only where no witness is demanded, else ERR_VERIFY_LOG_MISSING', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const evidence = await sign(privateKey, false);
    const judge = (witness: 'log' | 'unsafe-none') =>
      codeOf(() =>
        verifySignedEntity(evidence, { kind: 'key', publicKey }, { ...workshop.demands, witness }),
      );
    expect(judge('unsafe-none')).to.equal('passed');
    expect(judge('log')).to.equal('ERR_VERIFY_LOG_MISSING');
  });

  it('accepts an attestation in a bundle', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { bundle } = await attest({ ...workshop, signer: await signerOf(privateKey) });
    const verified = verifySignedEntity(bundle, { kind: 'key', publicKey }, workshop.demands);
    expect(verified.payloadType).to.equal('application/vnd.in-toto+json');
  });

  it('accepts the one hash that is asked for, in both layouts, and others with ERR_VERIFY_SIGNATURE', () => {
    const pairs = [
      generateKeyPairSync('ec', { namedCurve: 'P-256' }),
      generateKeyPairSync('ec', { namedCurve: 'P-521' }),
      generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ];
    const hashes = ['sha224', 'sha256', 'sha384', 'sha512'] as const;
    const demands = { ...workshop.demands, witness: 'unsafe-none', requireSct: false } as const;
    const cases = pairs.flatMap((pair) =>
      hashes.flatMap((used) =>
        signedWith(pair.privateKey, used).flatMap((evidence) =>
          hashes.map((wanted) => ({ ...pair, used, evidence, wanted })),
        ),
      ),
    );
    for (const { publicKey, used, evidence, wanted } of cases) {
      const signer = { kind: 'key', publicKey, hash: wanted } as const;
      const code = codeOf(() => verifySignedEntity(evidence, signer, demands));
      expect(code, `${used} as ${wanted}`).to.equal(used === wanted ? 'passed' : 'ERR_VERIFY_SIGNATURE');
    }
  });

  it('refuses another key with ERR_VERIFY_SIGNATURE', async () => {
    const evidence = await sign(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, true);
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(codeOf(() => verifySignedEntity(evidence, { kind: 'key', publicKey }, workshop.demands))).to.equal(
      'ERR_VERIFY_SIGNATURE',
    );
  });
});

/** An image signature in a tag's layer, and an attestation in a layer and in a bundle. */
function signedWith(privateKey: KeyObject, algorithm: string): readonly Evidence[] {
  const statement = Buffer.from('{"_type":"https://in-toto.io/Statement/v1"}');
  const sig = signBytes(algorithm, preAuthEncoding(inTotoPayloadType, statement), privateKey);
  const envelope = { payloadType: inTotoPayloadType, payload: statement, signatures: [{ keyid: '', sig }] };
  const signature = signBytes(algorithm, payload, privateKey).toString('base64');
  const spkiDer = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const material = { kind: 'public-key', spkiDer } as const;
  return [
    {
      layout: 'tag',
      mediaType: mediaTypes.simpleSigning,
      content: payload,
      annotations: { 'dev.cosignproject.cosign/signature': signature },
    },
    {
      layout: 'tag',
      mediaType: mediaTypes.dsseEnvelope,
      content: encodeEnvelope(envelope),
      annotations: { 'dev.cosignproject.cosign/signature': '' },
    },
    { layout: 'bundle', bytes: encodeBundle({ envelope, material, entries: [] }) },
  ];
}
