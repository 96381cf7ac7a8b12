import type { KeyObject } from 'node:crypto';
import { RFC3161Timestamp } from '@sigstore/core';
import type { TransparencyLogEntry } from '@sigstore/bundle';
import { Verifier } from '@sigstore/verify';
import type { TrustMaterial } from '@sigstore/verify';
import { fingerprintOf } from '../model/signature.ts';
import { requireIssuedBy } from './certificate-issuers.ts';
import type { CertificateIssuers } from './certificate-issuers.ts';
import { requireIdentity } from './certificate-identity.ts';
import type { CertificateIdentity, IdentityMatch } from './certificate-identity.ts';
import { CertificateMemory } from './certificate-memory.ts';
import { readEvidence } from './evidence-material.ts';
import type { Evidence, EvidenceMaterial } from './evidence-material.ts';
import type { LeafCertificate } from './leaf-certificate.ts';
import { isIntotoV001, requireIntotoV001 } from './intoto-log-entry.ts';
import { requireEntryOfSigner } from './log-entry-binding.ts';
import { requireProvenEntry } from './proven-entry.ts';
import { isSignatureValid } from './signature-algorithm.ts';
import type { SignatureHash } from './signature-algorithm.ts';
import { toEntity } from './signed-entity.ts';
import type { TrustRoot } from './trust-root.ts';
import { translateFaults, verificationFault } from './verification-fault.ts';

/** What is demanded of evidence besides a good signature; nothing is demanded silently. */
export interface VerificationDemands {
  readonly trustRoot: TrustRoot;
  /**
   * Who must have witnessed the signature: a transparency log; a log or an RFC 3161 timestamp authority; or, unsafe,
   * nobody. With nobody log entries are not looked at, and a certificate without timestamp must be valid at `at`.
   */
  readonly witness: 'log' | 'log-or-timestamp' | 'unsafe-none';
  /** Whether a certificate needs a signed certificate timestamp of a trusted log. */
  readonly requireSct: boolean;
  /** Who may have issued the certificate; absent: the authorities of the trust root. */
  readonly issuers?: CertificateIssuers;
  /** The present instant. */
  readonly at: Date;
  /** Spares what was found out about a certificate before; absent: nothing is known. */
  readonly certificates?: CertificateMemory;
}

/** By whom evidence must be signed: by one of some identities with a certificate, or with a given key. */
export type ExpectedSigner =
  | { readonly kind: 'identity'; readonly anyOf: readonly IdentityMatch[] }
  | {
      readonly kind: 'key';
      readonly publicKey: KeyObject;
      /** The one hash that counts; absent: those that cosign uses with such a key. */
      readonly hash?: SignatureHash;
    };

/** A log entry that was verified. */
export interface VerifiedLogEntry {
  /** Lower-case hex. */
  readonly logId: string;
  /** Verified, save for an entry of Rekor v1 without an inclusion promise: its proof does not cover the index. */
  readonly logIndex: number;
  /** When the log took it; absent where only an inclusion proof vouches for the entry (Rekor v2 gives no time). */
  readonly integratedAt?: Date;
}

/** Who signed, as verified. */
export type VerifiedSigner =
  | {
      readonly kind: 'certificate';
      readonly identity: CertificateIdentity;
      readonly certificateDer: Uint8Array;
      readonly notBefore: Date;
      readonly notAfter: Date;
      readonly fingerprint: string;
    }
  | { readonly kind: 'key'; readonly fingerprint: string };

/** Evidence of which every demanded check passed. */
export interface VerifiedEvidence {
  readonly signer: VerifiedSigner;
  /** The payload that was signed: statement or simple-signing JSON. Whether it is about the image is for the caller to check. */
  readonly payload: Uint8Array;
  /** DSSE's payload type; absent where bytes were signed directly. */
  readonly payloadType?: string;
  readonly logEntries: readonly VerifiedLogEntry[];
  /** Every verified time at which the signature existed; empty where nobody witnessed it. */
  readonly witnessedAt: readonly Date[];
}

/**
 * Verifies evidence of either layout and who signed it. Errors, each naming one check: the parsers' ERR_BUNDLE,
 * ERR_DSSE_ENVELOPE, ERR_COSIGN_ANNOTATIONS, and ERR_VERIFY_MALFORMED, _SIGNATURE, _PAYLOAD_DIGEST, _CHAIN, _EXPIRED,
 * _SCT, _KEY, _IDENTITY, _LOG_MISSING, _LOG_ENTRY, _SET, _INCLUSION_PROOF, _CHECKPOINT, _TIMESTAMP.
 */
export function verifySignedEntity(
  evidence: Evidence | EvidenceMaterial,
  signer: ExpectedSigner,
  demands: VerificationDemands,
): VerifiedEvidence {
  if (signer.kind === 'key') return verifyByKey(evidence, signer, demands);
  const verified = verifyByCertificate(evidence, demands);
  requireIdentity(verified.signer.identity, signer.anyOf);
  return verified;
}

/**
 * As {@link verifySignedEntity} for any certificate, without judging its identity: for callers that judge one piece of
 * evidence by several policies. They must call `requireIdentity`.
 */
export function verifyByCertificate(
  evidence: Evidence | EvidenceMaterial,
  demands: VerificationDemands,
): VerifiedEvidence & { readonly signer: Extract<VerifiedSigner, { kind: 'certificate' }> } {
  const material = toMaterial(evidence, demands);
  const { issuers, requireSct, trustRoot, certificates = new CertificateMemory() } = demands;
  // Only Fulcio writes an OpenID issuer; the authority of an organisation may not.
  const leaf = certificates.parse(certificateOf(material), { issuerIsOptional: issuers !== undefined });
  requireSignature(material, leaf);
  const witnesses = readWitnesses(material, demands);
  const times = witnesses.times.length === 0 ? [demands.at] : witnesses.times;
  requireValidCertificate(leaf, times);
  for (const entry of witnesses.entries) {
    requireEntryOfSigner(entry, { publicKey: leaf.publicKey, certificateDer: leaf.der });
  }
  const trust = { times, requireSct, material: trustRoot.material };
  if (issuers === undefined) certificates.requireTrusted(leaf, trust);
  else requireIssuedBy(leaf, issuers, trust);
  runVerifier(material, witnesses, demands, leaf);
  const { identity, der: certificateDer, notBefore, notAfter, fingerprint } = leaf;
  return {
    ...toVerified(material, witnesses),
    signer: { kind: 'certificate', identity, certificateDer, notBefore, notAfter, fingerprint },
  };
}

function verifyByKey(
  evidence: Evidence | EvidenceMaterial,
  key: SignatureKey,
  demands: VerificationDemands,
): VerifiedEvidence {
  const { publicKey } = key;
  const material = toMaterial(evidence, demands);
  requireSignature(material, key);
  const witnesses = readWitnesses(material, demands);
  for (const entry of witnesses.entries) requireEntryOfSigner(entry, { publicKey });
  runVerifier(material, witnesses, demands, key);
  const fingerprint = fingerprintOf(publicKey.export({ format: 'der', type: 'spki' }));
  return { ...toVerified(material, witnesses), signer: { kind: 'key', fingerprint } };
}

/** What a signature is checked with. */
type SignatureKey = Pick<Extract<ExpectedSigner, { kind: 'key' }>, 'publicKey' | 'hash'>;

/** What vouches for the time of the signature; verified by {@link runVerifier} only. */
interface Witnesses {
  readonly entries: readonly TransparencyLogEntry[];
  readonly times: readonly Date[];
}

function toMaterial(
  evidence: Evidence | EvidenceMaterial,
  { trustRoot }: Pick<VerificationDemands, 'trustRoot'>,
): EvidenceMaterial {
  return withKnownLogs('layout' in evidence ? readEvidence(evidence) : evidence, trustRoot);
}

/**
 * Without entries of logs that the trust root does not hold, as sigstore-go leaves them aside: who signs may log to more logs
 * than who verifies trusts. If none is known they stay, and fail.
 */
function withKnownLogs(evidence: EvidenceMaterial, { material: { tlogs } }: TrustRoot): EvidenceMaterial {
  const { bundle } = evidence;
  const { verificationMaterial } = bundle;
  const all: TransparencyLogEntry[] = verificationMaterial.tlogEntries;
  const known = all.filter(({ logId }) => tlogs.some(({ logID }) => logID.equals(logId.keyId)));
  if (known.length === 0 || known.length === all.length) return evidence;
  return {
    ...evidence,
    bundle: { ...bundle, verificationMaterial: { ...verificationMaterial, tlogEntries: known } },
  };
}

function certificateOf({ bundle }: EvidenceMaterial): Uint8Array {
  const { content } = bundle.verificationMaterial;
  if (content.$case === 'certificate') return content.certificate.rawBytes;
  const leaf =
    content.$case === 'x509CertificateChain' ? content.x509CertificateChain.certificates[0] : undefined;
  if (leaf !== undefined) return leaf.rawBytes;
  throw verificationFault('ERR_VERIFY_CHAIN', 'it was signed with a bare key; a certificate is expected');
}

function requireSignature(material: EvidenceMaterial, { publicKey, hash }: SignatureKey): void {
  if (isSignatureValid(publicKey, material.signedBytes, material.signature, hash)) return;
  throw verificationFault('ERR_VERIFY_SIGNATURE', 'the signature does not match the content');
}

function readWitnesses(material: EvidenceMaterial, { witness }: VerificationDemands): Witnesses {
  const { tlogEntries, timestampVerificationData } = material.bundle.verificationMaterial;
  const entries = witness === 'unsafe-none' ? [] : tlogEntries;
  const timestamps = timestampVerificationData?.rfc3161Timestamps ?? [];
  const times = translateFaults(() => [
    ...entries.flatMap(integratedAt),
    ...timestamps.map(
      ({ signedTimestamp }) => RFC3161Timestamp.parse(Buffer.from(signedTimestamp)).signingTime,
    ),
  ]);
  const isLogMissing = entries.length === 0;
  if (witness === 'log' && isLogMissing) {
    throw verificationFault('ERR_VERIFY_LOG_MISSING', 'it has no entry in a transparency log');
  }
  if (witness === 'log-or-timestamp' && isLogMissing && timestamps.length === 0) {
    throw verificationFault('ERR_VERIFY_LOG_MISSING', 'it has neither a log entry nor a timestamp');
  }
  if (witness !== 'unsafe-none' && times.length === 0 && isCertified(material)) {
    throw verificationFault('ERR_VERIFY_TIMESTAMP', 'nothing tells when it was signed');
  }
  return { entries, times };
}

function isCertified({ bundle }: EvidenceMaterial): boolean {
  return bundle.verificationMaterial.content.$case !== 'publicKey';
}

/** The integrated time is under the log's signature only where there is an inclusion promise. */
function integratedAt({ inclusionPromise, integratedTime }: TransparencyLogEntry): Date[] {
  const seconds = Number(integratedTime);
  return inclusionPromise === undefined || !(seconds > 0) ? [] : [new Date(seconds * 1000)];
}

function requireValidCertificate({ notBefore, notAfter }: LeafCertificate, times: readonly Date[]): void {
  const outside = times.find((time) => !(time >= notBefore && time <= notAfter));
  if (outside === undefined) return;
  throw verificationFault(
    'ERR_VERIFY_EXPIRED',
    `the certificate was valid from ${notBefore.toISOString()} to ${notAfter.toISOString()}, and it was used at ${isoOf(outside)}`,
  );
}

function isoOf(time: Date): string {
  return Number.isNaN(time.getTime()) ? 'no readable time' : time.toISOString();
}

function runVerifier(
  material: EvidenceMaterial,
  { entries, times }: Witnesses,
  { trustRoot, witness, at }: VerificationDemands,
  { publicKey }: SignatureKey,
): void {
  const readable = entries.filter((entry) => !isIntotoV001(entry));
  for (const entry of entries.filter(isIntotoV001)) requireIntotoV001(entry, material.payload, trustRoot);
  const verifier = new Verifier(withKey(trustRoot, publicKey), {
    tlogThreshold: witness === 'log' && readable.length === entries.length ? 1 : 0,
    timestampThreshold: times.length === 0 ? 0 : 1,
  });
  translateFaults(() => {
    const entity = toEntity(material, publicKey);
    const timestamps = timestampsOf(entity.timestamps, entries.length > 0);
    verifier.verify({ ...entity, timestamps, tlogEntries: readable });
  });
  for (const entry of entries) requireProvenEntry(entry, { witnessed: times, at }, trustRoot);
}

type Timestamps = ReturnType<typeof toEntity>['timestamps'];

/** Where log entries are not looked at, their times do not count either. */
function timestampsOf(timestamps: Timestamps, withLog: boolean): Timestamps {
  return withLog ? timestamps : timestamps.filter(({ $case }) => $case === 'timestamp-authority');
}

function withKey({ material }: TrustRoot, publicKey: KeyObject): TrustMaterial {
  return { ...material, publicKey: () => ({ publicKey, validFor: () => true }) };
}

function toVerified(
  material: EvidenceMaterial,
  { entries, times }: Witnesses,
): Omit<VerifiedEvidence, 'signer'> {
  return {
    payload: material.payload,
    ...(material.payloadType === undefined ? {} : { payloadType: material.payloadType }),
    logEntries: entries.map((entry) => {
      const [at] = integratedAt(entry);
      return {
        logId: entry.logId.keyId.toString('hex'),
        logIndex: Number(entry.logIndex),
        ...(at === undefined ? {} : { integratedAt: at }),
      };
    }),
    witnessedAt: times,
  };
}
