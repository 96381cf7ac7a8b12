import { X509Certificate, createPublicKey, hash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { PublicKeyDetails } from '@sigstore/protobuf-specs';
import { CreateEntryRequest, Entry } from '@sigstore/protobuf-specs/rekor/v2';
import type { Verifier } from '@sigstore/protobuf-specs/rekor/v2';
import { AppError } from '../model/errors.ts';
import { parseEnvelope, preAuthEncoding } from '../statements/dsse.ts';
import type { LogProposal } from './transparency-log.ts';

interface KeyKind {
  readonly details: PublicKeyDetails;
  readonly hash: 'sha256' | 'sha384' | 'sha512';
}

const keyKinds: Readonly<Record<string, KeyKind>> = {
  'ec prime256v1': { details: PublicKeyDetails.PKIX_ECDSA_P256_SHA_256, hash: 'sha256' },
  'ec secp384r1': { details: PublicKeyDetails.PKIX_ECDSA_P384_SHA_384, hash: 'sha384' },
  'ec secp521r1': { details: PublicKeyDetails.PKIX_ECDSA_P521_SHA_512, hash: 'sha512' },
  'rsa 2048': { details: PublicKeyDetails.PKIX_RSA_PKCS1V15_2048_SHA256, hash: 'sha256' },
  'rsa 3072': { details: PublicKeyDetails.PKIX_RSA_PKCS1V15_3072_SHA256, hash: 'sha256' },
  'rsa 4096': { details: PublicKeyDetails.PKIX_RSA_PKCS1V15_4096_SHA256, hash: 'sha256' },
};

/** What a Rekor v2 entry of kind `hashedrekord` 0.0.2 is about. */
export interface HashEntry {
  readonly digest: Buffer;
  readonly signature: Buffer;
  readonly verifier: Verifier;
}

/**
 * A proposal as Rekor v2 takes it. An envelope is logged as the hash of what its signature is over, DSSE's
 * pre-authentication encoding: rekor-tiles 2.4 takes no `dsse` entries any more. Throws ERR_LOG_REFUSED for keys and
 * envelopes that cannot be logged so.
 */
export function toHashEntry(proposal: LogProposal): HashEntry {
  const { verifier, kind } = toVerifier(proposal.verifierPem);
  if (proposal.kind === 'hashedrekord') {
    const { algorithm, hex } = proposal.digest ?? { algorithm: 'sha256', hex: proposal.payloadSha256 };
    if (kind.hash !== algorithm) throw refuse(`a digest of ${algorithm} does not fit to the key`);
    const digest = Buffer.from(hex, 'hex');
    return { digest, signature: Buffer.from(proposal.signature), verifier };
  }
  const { payload, payloadType, signatures } = parseEnvelope(Buffer.from(proposal.envelope));
  const [signature, another] = signatures;
  if (signature === undefined || another !== undefined) throw refuse('the envelope has not one signature');
  const digest = hash(kind.hash, preAuthEncoding(payloadType, payload), 'buffer');
  return { digest, signature: Buffer.from(signature.sig), verifier };
}

/** The JSON of the request (rekor/v2/entry.proto, CreateEntryRequest). */
export function encodeHashEntry({ digest, signature, verifier }: HashEntry): string {
  const hashedRekordRequestV002 = { digest, signature: { content: signature, verifier } };
  const spec = { $case: 'hashedRekordRequestV002', hashedRekordRequestV002 } as const;
  return JSON.stringify(CreateEntryRequest.toJSON({ spec }));
}

/** Requires that an entry's body is about what was proposed: digest, signature and verifier. Throws ERR_LOG_FOREIGN_ENTRY. */
export function requireSameEntry(body: Buffer, proposed: HashEntry, address: string): void {
  const difference = differenceOf(body, proposed);
  if (difference === undefined) return;
  throw new AppError(
    'ERR_LOG_FOREIGN_ENTRY',
    `${address} answered with an entry for something else: ${difference} differs`,
    {
      kind: 'passing',
      object: address,
      remedy: 'Do not trust the log until its operator has explained this.',
    },
  );
}

function toVerifier(pem: string): { readonly verifier: Verifier; readonly kind: KeyKind } {
  if (pem.includes('BEGIN CERTIFICATE')) {
    const { publicKey, raw } = new X509Certificate(pem);
    const kind = kindOf(publicKey);
    const x509Certificate = { rawBytes: raw };
    return {
      kind,
      verifier: { verifier: { $case: 'x509Certificate', x509Certificate }, keyDetails: kind.details },
    };
  }
  const key = createPublicKey(pem);
  const kind = kindOf(key);
  const publicKey = { rawBytes: key.export({ format: 'der', type: 'spki' }) };
  return { kind, verifier: { verifier: { $case: 'publicKey', publicKey }, keyDetails: kind.details } };
}

function kindOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): KeyKind {
  const size = asymmetricKeyDetails?.namedCurve ?? asymmetricKeyDetails?.modulusLength ?? '';
  const name = `${asymmetricKeyType ?? 'unknown'} ${size}`.trim();
  const kind = keyKinds[name];
  if (kind === undefined) throw refuse(`it takes no ${name} keys`);
  return kind;
}

function refuse(why: string): AppError {
  return new AppError('ERR_LOG_REFUSED', `Rekor v2 cannot log this: ${why}`, {
    kind: 'permanent',
    remedy: 'Use an ECDSA key, or RSA of 2048, 3072 or 4096 bits, and one signature.',
  });
}

function differenceOf(body: Buffer, proposed: HashEntry): string | undefined {
  const { spec } = Entry.fromJSON(JSON.parse(body.toString('utf8'))).spec ?? {};
  if (spec?.$case !== 'hashedRekordV002') return 'the kind';
  const { data, signature } = spec.hashedRekordV002;
  if (data?.digest.equals(proposed.digest) !== true) return 'the payload';
  if (signature?.content.equals(proposed.signature) !== true) return 'the signature';
  const found = rawBytesOf(signature.verifier);
  const own = rawBytesOf(proposed.verifier);
  return found !== undefined && own?.equals(found) === true ? undefined : 'the certificate or key';
}

function rawBytesOf(verifier: Verifier | undefined): Buffer | undefined {
  const inner = verifier?.verifier;
  return inner?.$case === 'x509Certificate' ? inner.x509Certificate.rawBytes : inner?.publicKey.rawBytes;
}
