import { hash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { AppError } from '../model/errors.ts';
import { parseTrustRoot } from '../signing/trust-root.ts';
import type { TrustRoot } from '../signing/trust-root.ts';
import { parsePublicKey } from './public-key.ts';

/** A log's public key, PEM. */
export interface TrustedLog {
  readonly baseUrl: string;
  readonly hashAlgorithm?: string;
  readonly publicKey: string;
}

/** Certificates of an authority, DER, the root among them. */
export interface TrustedAuthority {
  readonly uri: string;
  readonly subject?: { readonly organization?: string; readonly commonName?: string };
  readonly certificates: readonly Buffer[];
}

/** Keys and certificates of a Sigstore instance that come without a `trusted_root.json`. */
export interface TrustedKeys {
  readonly tlogs: readonly TrustedLog[];
  readonly ctlogs: readonly TrustedLog[];
  readonly certificateAuthorities: readonly TrustedAuthority[];
  readonly timestampAuthorities: readonly TrustedAuthority[];
}

/**
 * The trust root of keys and certificates. They state no validity, so all of them count from the beginning, as in
 * policy-controller. A log's id is the SHA-256 of its key (RFC 6962 section 3.2). Throws ERR_TRUST_ROOT.
 */
export function trustRootOf(keys: TrustedKeys, object: string): TrustRoot {
  const toLog = (log: TrustedLog): object => logDocument(log, object);
  const document = {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: keys.tlogs.flatMap((log) => [toLog(log), ...noteDocuments(log, object)]),
    ctlogs: keys.ctlogs.map(toLog),
    certificateAuthorities: keys.certificateAuthorities.map(authorityDocument),
    timestampAuthorities: keys.timestampAuthorities.map(authorityDocument),
  };
  return parseTrustRoot(JSON.stringify(document), object);
}

/** The bytes of standard base64, line breaks allowed as Go allows them; undefined if it is none. */
export function decodeBase64(text: string): Buffer | undefined {
  const compact = text.replaceAll(/[\r\n]/g, '');
  const isBase64 = compact.length % 4 === 0 && /^[A-Z\d+/]*={0,2}$/i.test(compact);
  return isBase64 ? Buffer.from(compact, 'base64') : undefined;
}

/** The certificates, DER, in the base64 of a PEM text. */
export function listCertificates(certChain: string): readonly Buffer[] {
  return listPemCertificates(decodeBase64(certChain)?.toString('latin1') ?? '');
}

/** The certificates, DER, in a PEM text. */
export function listPemCertificates(pem: string): readonly Buffer[] {
  const blocks = pem.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g);
  return [...blocks].map(([, body = '']) => Buffer.from(body, 'base64'));
}

const validFor = { start: '1970-01-01T00:00:00Z' };

function authorityDocument({ uri, subject = {}, certificates }: TrustedAuthority): object {
  const rawCertificates = certificates.map((bytes) => ({ rawBytes: bytes.toString('base64') }));
  return { subject, uri, certChain: { certificates: rawCertificates }, validFor };
}

function logDocument({ baseUrl, hashAlgorithm = '', publicKey }: TrustedLog, object: string): object {
  const key = parsePublicKey(publicKey);
  if (key === undefined) {
    throw new AppError('ERR_TRUST_ROOT', `${object}: the key of ${baseUrl} is no public key in PEM`, {
      kind: 'permanent',
      object,
      remedy: 'Give the public key of the log in PEM.',
    });
  }
  const spki = key.export({ format: 'der', type: 'spki' });
  const isRsa = key.asymmetricKeyType === 'rsa';
  const der = isRsa ? key.export({ format: 'der', type: 'pkcs1' }) : spki;
  return {
    baseUrl,
    hashAlgorithm: `SHA2_${/(?:256|384|512)$/.exec(hashAlgorithm)?.[0] ?? '256'}`,
    publicKey: { rawBytes: der.toString('base64'), keyDetails: keyDetailsOf(key), validFor },
    logId: { keyId: hash('sha256', spki, 'buffer').toString('base64') },
  };
}

/**
 * Rekor v2 with an Ed25519 key is known in bundles by the key's id in its checkpoints, which covers the log's host name
 * (C2SP signed-note), and not by the key alone; nothing tells which of both versions a log is.
 */
function noteDocuments(log: TrustedLog, object: string): readonly object[] {
  const key = parsePublicKey(log.publicKey);
  if (key?.asymmetricKeyType !== 'ed25519' || !URL.canParse(log.baseUrl)) return [];
  const raw = key.export({ format: 'der', type: 'spki' }).subarray(-32);
  const note = Buffer.concat([Buffer.from(`${new URL(log.baseUrl).hostname}\n\u0001`), raw]);
  const keyId = hash('sha256', note, 'buffer').toString('base64');
  return [{ ...logDocument(log, object), logId: { keyId } }];
}

/** The name that protobuf-specs' PublicKeyDetails has for a key. */
function keyDetailsOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string {
  if (asymmetricKeyType === 'rsa') return 'PKCS1_RSA_PKCS1V5';
  if (asymmetricKeyType === 'ed25519') return 'PKIX_ED25519';
  const { namedCurve } = asymmetricKeyDetails ?? {};
  if (namedCurve === 'secp384r1') return 'PKIX_ECDSA_P384_SHA_384';
  return namedCurve === 'secp521r1' ? 'PKIX_ECDSA_P521_SHA_512' : 'PKIX_ECDSA_P256_SHA_256';
}
