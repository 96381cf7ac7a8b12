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

/** A certificate authority, with the trust root that names it. */
export interface TestAuthority {
  readonly certificate: x509.X509Certificate;
  readonly keys: Awaited<ReturnType<typeof generateKeys>>;
  readonly trustedRoot: object;
}

const generateKeys = () => webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
const dates = {
  notBefore: new Date('2026-01-01T00:00:00Z'),
  notAfter: new Date('2026-01-01T00:10:00Z'),
};

/** An authority that issues certificates, as Fulcio is one. */
export async function newAuthority(): Promise<TestAuthority> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    keys,
    name: 'CN=authority',
    signingAlgorithm: algorithm,
    notBefore: new Date('2020-01-01T00:00:00Z'),
    notAfter: new Date('2030-01-01T00:00:00Z'),
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  const rawBytes = Buffer.from(certificate.rawData).toString('base64');
  const trustedRoot = {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    certificateAuthorities: [
      {
        subject: { organization: 'test', commonName: 'authority' },
        uri: 'https://fulcio.example',
        certChain: { certificates: [{ rawBytes }] },
        validFor: { start: '2020-01-01T00:00:00Z' },
      },
    ],
  };
  return { certificate, keys, trustedRoot };
}

/** A certificate for that subject (a URI), as Fulcio would issue it; self-signed without an authority. */
export async function newCertificate(
  subject: string,
  issuer: string,
  authority?: TestAuthority,
): Promise<TestSigner> {
  const keys = await generateKeys();
  const issuerText = Buffer.concat([Buffer.of(0x0c, issuer.length), Buffer.from(issuer)]);
  const content = {
    ...dates,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: subject }], true),
      new x509.Extension('1.3.6.1.4.1.57264.1.8', false, issuerText),
    ],
  };
  const certificate =
    authority === undefined
      ? await x509.X509CertificateGenerator.createSelfSigned({ ...content, keys })
      : await x509.X509CertificateGenerator.create({
          ...content,
          issuer: authority.certificate.subject,
          publicKey: keys.publicKey,
          signingKey: authority.keys.privateKey,
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

/** Kinds of entries, as Rekor v1 and Rekor v2 (`-v2`) write them. */
export type TestKind = 'hashedrekord' | 'dsse' | 'intoto' | 'unknown' | 'hashedrekord-v2' | 'dsse-v2';

/** The canonical body of an entry about a payload by a signer. */
export function entryOf(kind: TestKind, payload: Digest, { pem }: TestSigner): Buffer {
  const rawBytes = pem.replaceAll(/-----[A-Z ]+-----|\s/g, '');
  const newer = pem.includes('CERTIFICATE') ? { x509Certificate: { rawBytes } } : { publicKey: { rawBytes } };
  const data = {
    algorithm: 'SHA2_256',
    digest: Buffer.from(payload.slice('sha256:'.length), 'hex').toString('base64'),
  };
  // Begins like a certificate in base64.
  const content = Buffer.concat([Buffer.of(0x30, 0x45, 0x02, 0x20), randomBytes(67)]).toString('base64');
  const verifier = Buffer.from(pem).toString('base64');
  const digest = { algorithm: 'sha256', value: payload.slice('sha256:'.length) };
  const specs: Record<TestKind, object> = {
    hashedrekord: {
      data: { hash: digest },
      signature: { content: 'AAAA', publicKey: { content: verifier } },
    },
    dsse: { envelopeHash: digest, payloadHash: digest, signatures: [{ signature: 'AAAA', verifier }] },
    intoto: { content: { hash: digest, payloadHash: digest }, publicKey: verifier },
    'hashedrekord-v2': { hashedRekordV002: { data, signature: { content, verifier: newer } } },
    'dsse-v2': { dsseV002: { payloadHash: data, signatures: [{ content, verifier: newer }] } },
    unknown: { deeply: [{ hidden: { signer: pem } }] },
  };
  const [name, version] = kind.split('-');
  const apiVersion = version === undefined ? '0.0.1' : '0.0.2';
  return Buffer.from(JSON.stringify({ apiVersion, kind: name, spec: specs[kind] }));
}
