import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { expect } from 'chai';
import { Agent } from 'undici';
import type { Witnesses } from '../../../src/attestation/witnessing.ts';
import { startDevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import { encodeBlobBundle, signBlob } from '../../../src/commands/sign-blob/blob-signature.ts';
import type { BlobSigned } from '../../../src/commands/sign-blob/blob-signature.ts';
import { readBlobBundle } from '../../../src/commands/verify-blob/blob-evidence.ts';
import { verifyBlob } from '../../../src/commands/verify-blob/blob-verification.ts';
import { createKeySigner } from '../../../src/signing/key-signer.ts';
import { parseTrustRoot } from '../../../src/signing/trust-root.ts';
import type { ExpectedSigner, VerificationDemands } from '../../../src/signing/verification.ts';
import type { TransparencyLog } from '../../../src/transparency/transparency-log.ts';
import { codeOf, codeOfRejection } from '../signing/codes.ts';
import { expectController, openWorkshop, signal } from '../signing/signed-evidence.ts';

const blob = Buffer.from('{"_type":"layout"}');
const kinds: Readonly<Record<string, KeyObject>> = {
  'ECDSA P-256': generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  'ECDSA P-384': generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  'ECDSA P-521': generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey,
  RSA: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  Ed25519: generateKeyPairSync('ed25519').privateKey,
};
const unwitnessed: VerificationDemands = {
  trustRoot: parseTrustRoot('{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}'),
  witness: 'unsafe-none',
  requireSct: true,
  at: new Date(),
};

async function keyOf(privateKey: KeyObject) {
  const signer = await createKeySigner({
    pem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  });
  return signer.acquire({ signal });
}

function witnessesOf(...logs: readonly TransparencyLog[]): Witnesses {
  return { logs, timestampAuthorities: [], trustRoot: undefined };
}

function verify(signed: BlobSigned, signer: ExpectedSigner, demands: VerificationDemands): string {
  const codes = (['sigstore', 'cosign'] as const).map((format) =>
    codeOf(() =>
      verifyBlob(readBlobBundle(encodeBlobBundle(signed, format), blob), blob, { signer, demands }),
    ),
  );
  return [...new Set(codes)].join(' and ');
}

describe('signing a file', () => {
  for (const [kind, privateKey] of Object.entries(kinds)) {
    it(`gives bundles of both formats with ${kind} that verify`, async () => {
      const signed = await signBlob(blob, await keyOf(privateKey), { witnesses: witnessesOf(), signal });
      const signer = { kind: 'key', publicKey: createPublicKey(privateKey) } as const;
      expect(verify(signed, signer, unwitnessed)).to.equal('passed');
    });
  }

  it('logs the signature of a certificate, so that both formats verify', async () => {
    const agent = new Agent();
    await using sigstore = await startDevelopmentSigstore();
    const { signer, rekor, demands } = openWorkshop(sigstore, agent);
    const signed = await signBlob(blob, await signer.acquire({ signal }), {
      witnesses: witnessesOf(rekor),
      signal,
    });
    expect(verify(signed, expectController, demands)).to.equal('passed');
    await agent.close();
  });

  it('gives what is refused with ERR_VERIFY_SCT where the certificate has no signed certificate timestamp', async () => {
    const agent = new Agent();
    await using sigstore = await startDevelopmentSigstore({ certificateTransparency: false });
    const { signer, rekor, demands } = openWorkshop(sigstore, agent);
    const signed = await signBlob(blob, await signer.acquire({ signal }), {
      witnesses: witnessesOf(rekor),
      signal,
    });
    expect(verify(signed, expectController, demands)).to.equal('ERR_VERIFY_SCT');
    expect(verify(signed, expectController, { ...demands, requireSct: false })).to.equal('passed');
    await agent.close();
  });

  it('refuses to log an Ed25519 signature with ERR_SIGN_BLOB_LOG, before anything is signed', async () => {
    const key = await keyOf(generateKeyPairSync('ed25519').privateKey);
    const sign = () => Promise.reject(new Error('it was asked to sign'));
    const witnesses = witnessesOf({ url: 'https://rekor.example', tellsTime: true, append: sign });
    expect(await codeOfRejection(signBlob(blob, { ...key, sign }, { witnesses, signal }))).to.equal(
      'ERR_SIGN_BLOB_LOG',
    );
  });
});
