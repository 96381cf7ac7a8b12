import { X509Certificate, hash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { encodePem } from '../model/signature.ts';
import { hashFor, isSignatureValid } from '../signing/signature-algorithm.ts';
import type { ExpectedSigner } from '../signing/verification.ts';
import type { LogProposal } from '../transparency/transparency-log.ts';
import type { EvidencePiece } from './image-evidence.ts';

/**
 * What a log was told of evidence when it was signed, as cosign tells it; undefined where that cannot be known: of a
 * bundle, whose envelope is written anew, and of a signature that Rekor's `hashedrekord` has no hash for.
 */
export function proposalFor(
  { evidence, material }: EvidencePiece,
  signer: ExpectedSigner,
): LogProposal | undefined {
  if (evidence.layout !== 'tag' || material === undefined) return undefined;
  const verifier = verifierOf(material, signer);
  if (verifier === undefined) return undefined;
  if (material.payloadType === undefined) return proposeSignature(material, verifier);
  const envelope = Buffer.from(evidence.content).toString('utf8');
  return { kind: 'dsse', envelope, verifierPem: verifier.verifierPem };
}

/** Whom a log was told of as the signer. */
export interface LoggedVerifier {
  readonly publicKey: KeyObject;
  /** Certificate or public key, PEM. */
  readonly verifierPem: string;
}

/**
 * The `hashedrekord` of a signature over `payload`, by the hash that it is valid with; undefined if it is valid with none
 * that such an entry can have. Throws ERR_KEY_UNSUPPORTED.
 */
export function proposeSignature(
  { payload, signature }: { readonly payload: Uint8Array; readonly signature: Uint8Array },
  { publicKey, verifierPem }: LoggedVerifier,
): LogProposal | undefined {
  const own = hashFor(publicKey);
  if (own === undefined) return undefined;
  const algorithm = ([own, 'sha256'] as const).find((one) =>
    isSignatureValid(publicKey, payload, signature, one),
  );
  if (algorithm === undefined) return undefined;
  const digest = { algorithm, hex: hash(algorithm, payload) };
  return { kind: 'hashedrekord', payloadSha256: hash('sha256', payload), digest, signature, verifierPem };
}

function verifierOf(
  { bundle }: NonNullable<EvidencePiece['material']>,
  signer: ExpectedSigner,
): LoggedVerifier | undefined {
  if (signer.kind === 'key') return verifierOfKey(signer.publicKey);
  const certificate = certificateOf(bundle);
  return certificate && verifierOfCertificate(certificate);
}

/** A key as the signer of an entry. */
export function verifierOfKey(publicKey: KeyObject): LoggedVerifier {
  return {
    publicKey,
    verifierPem: encodePem('PUBLIC KEY', publicKey.export({ format: 'der', type: 'spki' })),
  };
}

/** A certificate as the signer of an entry. */
export function verifierOfCertificate(certificate: X509Certificate): LoggedVerifier {
  return { publicKey: certificate.publicKey, verifierPem: certificate.toString() };
}

/** The signer's certificate in evidence; undefined if there is none. */
export function certificateOf({
  verificationMaterial: { content },
}: NonNullable<EvidencePiece['material']>['bundle']): X509Certificate | undefined {
  return content.$case === 'certificate' ? new X509Certificate(content.certificate.rawBytes) : undefined;
}
