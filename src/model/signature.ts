import { createHash } from 'node:crypto';

/** What a verifier needs besides the signature: a certificate chain (leaf first, DER) or a bare public key (SPKI, DER). */
export type VerificationMaterial =
  | { readonly kind: 'certificate'; readonly chainDer: readonly [Uint8Array, ...Uint8Array[]] }
  | { readonly kind: 'public-key'; readonly spkiDer: Uint8Array };

/** How a signature is made where that is not as usual. */
export interface SignOptions {
  readonly hash?: 'sha256' | undefined;
  /** For RSA keys. */
  readonly padding?: 'pss' | undefined;
}

/** A key that is ready to sign, with what others need to verify. Ephemeral keys live no longer than their certificate. */
export interface SigningKey {
  readonly material: VerificationMaterial;
  /** SHA-256 over the public key's SPKI, lower-case hex: how the log monitor finds the key again. */
  readonly fingerprint: string;
  /** After this instant the key must not be used; absent for long-lived keys. */
  readonly notAfter?: Date;
  /**
   * Signature over `data` (ECDSA: ASN.1 DER), made with that hash or, without one, the one that cosign takes for such a key;
   * Ed25519 takes none. RSA signs by PKCS #1 v1.5 unless PSS is asked for.
   */
  sign(data: Uint8Array, options?: SignOptions): Promise<Uint8Array>;
}

/** Where signing keys come from: Fulcio, a Secret, later a KMS. */
export interface Signer {
  /** A key usable for at least the next minute; calls while one is being fetched share it. */
  acquire(options: { readonly signal: AbortSignal }): Promise<SigningKey>;
}

/** One PEM block (RFC 7468) of `der`. */
export function encodePem(label: 'CERTIFICATE' | 'PUBLIC KEY', der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** The leaf certificate or public key as PEM, as logs and cosign's annotations take it. */
export function verifierPem(material: VerificationMaterial): string {
  return material.kind === 'certificate'
    ? encodePem('CERTIFICATE', material.chainDer[0])
    : encodePem('PUBLIC KEY', material.spkiDer);
}

/** SHA-256 over SPKI DER bytes, lower-case hex. */
export function fingerprintOf(spkiDer: Uint8Array): string {
  return createHash('sha256').update(spkiDer).digest('hex');
}
