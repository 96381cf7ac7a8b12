import { AppError } from '../model/errors.ts';
import { encodePublicKey, keyIdOf, noteIdOf } from '../signing/log-identity.ts';
import { parseTrustRoot } from '../signing/trust-root.ts';
import type { TrustRoot } from '../signing/trust-root.ts';
import { trustedRootMediaType } from '../signing/trusted-root-document.ts';
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

/** The trust root of keys and certificates, as {@link trustedKeysDocument} writes it. Throws ERR_TRUST_ROOT. */
export function trustRootOf(keys: TrustedKeys, object: string): TrustRoot {
  return parseTrustRoot(JSON.stringify(trustedKeysDocument(keys, object)), object);
}

/**
 * Keys and certificates in the form of a `trusted_root.json`. They state no validity, so all of them count from the
 * beginning, as in policy-controller. A log's id is the SHA-256 of its key (RFC 6962 section 3.2). Throws ERR_TRUST_ROOT.
 */
export function trustedKeysDocument(keys: TrustedKeys, object: string): object {
  const toLog = (log: TrustedLog): object => logDocument(log, object);
  return {
    mediaType: trustedRootMediaType,
    tlogs: keys.tlogs.flatMap((log) => [toLog(log), ...noteDocuments(log, object)]),
    ctlogs: keys.ctlogs.map(toLog),
    certificateAuthorities: keys.certificateAuthorities.map(authorityDocument),
    timestampAuthorities: keys.timestampAuthorities.map(authorityDocument),
  };
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
  const encoded = key === undefined ? undefined : encodePublicKey(key);
  if (key === undefined || encoded === undefined) {
    throw new AppError('ERR_TRUST_ROOT', `${object}: the key of ${baseUrl} is no public key in PEM`, {
      kind: 'permanent',
      object,
      remedy: 'Give the public key of the log in PEM.',
    });
  }
  return {
    baseUrl,
    hashAlgorithm: `SHA2_${/(?:256|384|512)$/.exec(hashAlgorithm)?.[0] ?? '256'}`,
    publicKey: { ...encoded, validFor },
    logId: { keyId: keyIdOf(key).toString('base64') },
  };
}

/**
 * Rekor v2 with an Ed25519 key is known in bundles by the key's id in its checkpoints, which covers the log's host name
 * (C2SP signed-note), and not by the key alone; nothing tells which of both versions a log is.
 */
function noteDocuments(log: TrustedLog, object: string): readonly object[] {
  const key = parsePublicKey(log.publicKey);
  if (key?.asymmetricKeyType !== 'ed25519' || !URL.canParse(log.baseUrl)) return [];
  const keyId = noteIdOf(new URL(log.baseUrl).hostname, key).toString('base64');
  return [{ ...logDocument(log, object), logId: { keyId } }];
}
