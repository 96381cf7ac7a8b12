import { generateKeyPairSync, hash, randomBytes, webcrypto } from 'node:crypto';
// @peculiar/x509 does not load without it.
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { fingerprintOf } from '../../../src/model/signature.ts';
import { parseDigest } from '../../../src/model/digest.ts';
import type { Digest } from '../../../src/model/digest.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** Whoever signs: certificate or key, and its fingerprint. */
export interface TestSigner {
  readonly pem: string;
  readonly fingerprint: string;
}

/** A certificate for that subject (a URI), as Fulcio would issue it. */
export async function newCertificate(subject: string, issuer: string): Promise<TestSigner> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const issuerText = Buffer.concat([Buffer.of(0x0c, issuer.length), Buffer.from(issuer)]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date('2026-01-01T00:00:00Z'),
    notAfter: new Date('2026-01-01T00:10:00Z'),
    extensions: [
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: subject }], true),
      new x509.Extension('1.3.6.1.4.1.57264.1.8', false, issuerText),
    ],
  });
  const spki = Buffer.from(await webcrypto.subtle.exportKey('spki', keys.publicKey));
  return { pem: certificate.toString('pem'), fingerprint: fingerprintOf(spki) };
}

/** A bare key. */
export function newKey(): TestSigner {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    pem: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
    fingerprint: fingerprintOf(publicKey.export({ format: 'der', type: 'spki' })),
  };
}

/** A digest that nothing else has. */
export function newPayload(): Digest {
  return parseDigest(`sha256:${hash('sha256', randomBytes(16))}`);
}

/** Kinds of entries, as Rekor v1 writes them. */
export type TestKind = 'hashedrekord' | 'dsse' | 'intoto' | 'unknown';

/** The canonical body of an entry about a payload by a signer. */
export function entryOf(kind: TestKind, payload: Digest, { pem }: TestSigner): Buffer {
  const verifier = Buffer.from(pem).toString('base64');
  const digest = { algorithm: 'sha256', value: payload.slice('sha256:'.length) };
  const specs: Record<TestKind, object> = {
    hashedrekord: {
      data: { hash: digest },
      signature: { content: 'AAAA', publicKey: { content: verifier } },
    },
    dsse: { envelopeHash: digest, payloadHash: digest, signatures: [{ signature: 'AAAA', verifier }] },
    intoto: { content: { hash: digest, payloadHash: digest }, publicKey: verifier },
    unknown: { deeply: [{ hidden: { signer: pem } }] },
  };
  return Buffer.from(JSON.stringify({ apiVersion: '0.0.1', kind, spec: specs[kind] }));
}
