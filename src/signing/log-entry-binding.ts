import { X509Certificate, createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { TransparencyLogEntry } from '@sigstore/bundle';
import { z } from 'zod';
import { encodePem } from '../model/signature.ts';
import { verificationFault } from './verification-fault.ts';

const text = z.string().min(1);
const rawBytes = z.object({ rawBytes: text });
const verifier = z.union([
  z.object({ x509Certificate: rawBytes }).transform((v) => v.x509Certificate.rawBytes),
  z.object({ publicKey: rawBytes }).transform((v) => v.publicKey.rawBytes),
]);

/** Where each kind and version of entry keeps the key or certificate that its log checked the signature with, as base64. */
const verifierOf: Readonly<Record<string, z.ZodType<string>>> = {
  'hashedrekord 0.0.1': z
    .object({ spec: z.object({ signature: z.object({ publicKey: z.object({ content: text }) }) }) })
    .transform(({ spec }) => spec.signature.publicKey.content),
  'hashedrekord 0.0.2': z
    .object({ spec: z.object({ hashedRekordV002: z.object({ signature: z.object({ verifier }) }) }) })
    .transform(({ spec }) => spec.hashedRekordV002.signature.verifier),
  'dsse 0.0.1': z
    .object({ spec: z.object({ signatures: z.tuple([z.object({ verifier: text })]) }) })
    .transform(({ spec }) => spec.signatures[0].verifier),
  'dsse 0.0.2': z
    .object({ spec: z.object({ dsseV002: z.object({ signatures: z.tuple([z.object({ verifier })]) }) }) })
    .transform(({ spec }) => spec.dsseV002.signatures[0].verifier),
  'intoto 0.0.1': z.object({ spec: z.object({ publicKey: text }) }).transform(({ spec }) => spec.publicKey),
  'intoto 0.0.2': z
    .object({
      spec: z.object({
        content: z.object({ envelope: z.object({ signatures: z.tuple([z.object({ publicKey: text })]) }) }),
      }),
    })
    .transform(({ spec }) => spec.content.envelope.signatures[0].publicKey),
};

/**
 * Requires that a log entry was made for this signer: the certificate or key in its body is the evidence's own.
 * @sigstore/verify compares signature and digest only; sigstore-go compares this too. Throws ERR_VERIFY_LOG_ENTRY.
 */
export function requireEntryOfSigner(
  entry: TransparencyLogEntry,
  signer: { readonly publicKey: KeyObject; readonly certificateDer?: Uint8Array },
): void {
  const { kind, version } = entry.kindVersion;
  const schema = verifierOf[`${kind} ${version}`];
  if (schema === undefined) {
    throw verificationFault(
      'ERR_VERIFY_LOG_ENTRY',
      `log entries of kind ${kind} ${version} are not supported`,
    );
  }
  const bytes = readVerifier(entry, schema);
  if (signer.certificateDer !== undefined && isCertificate(bytes, signer.certificateDer)) return;
  const logged = parseVerifier(bytes);
  const isOurs =
    logged.certificateDer !== undefined && signer.certificateDer !== undefined
      ? logged.certificateDer.equals(signer.certificateDer)
      : logged.publicKey.equals(signer.publicKey);
  if (!isOurs) {
    throw verificationFault('ERR_VERIFY_LOG_ENTRY', 'the log entry was made for another certificate or key');
  }
}

function readVerifier(entry: TransparencyLogEntry, schema: z.ZodType<string>): Buffer {
  return unlessMalformed(() => {
    const body: unknown = JSON.parse(entry.canonicalizedBody.toString('utf8'));
    return Buffer.from(schema.parse(body), 'base64');
  });
}

/** True for the usual bytes of this very certificate, which need no parsing. */
function isCertificate(bytes: Buffer, der: Uint8Array): boolean {
  return bytes.equals(der) || bytes.equals(Buffer.from(encodePem('CERTIFICATE', der)));
}

/** Version 0.0.1 entries hold PEM, version 0.0.2 entries DER. */
function parseVerifier(bytes: Buffer): { readonly publicKey: KeyObject; readonly certificateDer?: Buffer } {
  const isPem = bytes.subarray(0, 5).toString('latin1') === '-----';
  const isKey = isPem && bytes.includes('-----BEGIN PUBLIC KEY-----');
  return unlessMalformed(() => {
    if (!isKey) {
      try {
        const certificate = new X509Certificate(bytes);
        return { publicKey: certificate.publicKey, certificateDer: certificate.raw };
      } catch (error) {
        if (isPem) throw error;
        // DER that is no certificate can still be a bare key.
      }
    }
    return { publicKey: createPublicKey(isPem ? bytes : { key: bytes, format: 'der', type: 'spki' }) };
  });
}

function unlessMalformed<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw verificationFault('ERR_VERIFY_LOG_ENTRY', "the log entry's body is malformed", error);
  }
}
