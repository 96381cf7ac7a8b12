import type { TransparencyLogEntry } from '@sigstore/protobuf-specs';
import { z } from 'zod';
import { AppError } from '../model/errors.ts';
import { verifierPem } from '../model/signature.ts';
import type { VerificationMaterial } from '../model/signature.ts';
import { findBase64 } from './base64.ts';
import { encodeCosignEntry } from './cosign-annotations.ts';
import type { JsonObject } from './strict-json.ts';

const entry = z.strictObject({
  SignedEntryTimestamp: z.string(),
  Payload: z.strictObject({
    body: z.string(),
    integratedTime: z.int(),
    logIndex: z.int(),
    logID: z.string(),
  }),
});
const shape = z.strictObject({
  base64Signature: z.string(),
  cert: z.string().nullish(),
  rekorBundle: entry.nullish(),
});

/** What cosign's own bundle file holds; nothing in it is verified. */
export interface CosignBundle {
  readonly signature: string;
  /** PEM. */
  readonly certificatePem?: string;
  /** The log entry with its signed entry timestamp, JSON as in a layer's annotation. */
  readonly entry?: string;
}

/**
 * The bundle file that `cosign sign-blob --bundle` wrote before Sigstore bundles (cosign 3.1.3, pkg/cosign,
 * LocalSignedPayload): base64 signature, base64 of the certificate's PEM, and the log entry.
 */
export function encodeCosignBundle(parts: {
  readonly signature: Uint8Array;
  readonly material: VerificationMaterial;
  readonly entry?: TransparencyLogEntry | undefined;
}): string {
  const { signature, material, entry: logged } = parts;
  return JSON.stringify({
    base64Signature: Buffer.from(signature).toString('base64'),
    ...(material.kind === 'certificate'
      ? { cert: Buffer.from(verifierPem(material)).toString('base64') }
      : {}),
    ...(logged === undefined ? {} : { rekorBundle: JSON.parse(encodeCosignEntry(logged)) as object }),
  });
}

/** True for JSON that is meant as cosign's own bundle. */
export function isCosignBundle(json: JsonObject): boolean {
  return Object.hasOwn(json, 'base64Signature');
}

/** Reads cosign's own bundle; members that it does not have are refused. Throws ERR_COSIGN_BUNDLE. */
export function readCosignBundle(json: JsonObject): CosignBundle {
  const parsed = shape.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw malformed(`${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim());
  }
  const { base64Signature, cert, rekorBundle } = parsed.data;
  if ((findBase64(base64Signature)?.length ?? 0) === 0) throw malformed('base64Signature is no base64');
  return {
    signature: base64Signature,
    ...readCertificate(cert ?? ''),
    ...readEntry(rekorBundle ?? undefined),
  };
}

/** With a key that is no file cosign writes the public key here, which says nothing that --key does not. */
function readCertificate(cert: string): Pick<CosignBundle, 'certificatePem'> {
  if (cert === '') return {};
  const pem = readPem(cert);
  return pem.includes('BEGIN CERTIFICATE') ? { certificatePem: pem } : {};
}

function readEntry(logged: z.infer<typeof entry> | undefined): Pick<CosignBundle, 'entry'> {
  return logged === undefined ? {} : { entry: JSON.stringify(logged) };
}

function readPem(cert: string): string {
  const pem = findBase64(cert)?.toString('latin1');
  if (pem?.startsWith('-----BEGIN ') !== true) throw malformed('cert is no base64 of PEM');
  return pem;
}

function malformed(why: string): AppError {
  return new AppError('ERR_COSIGN_BUNDLE', `this is no bundle of cosign: ${why}`, {
    kind: 'permanent',
    remedy: 'Sign the file again; if the bundle is not yours, find out who wrote it.',
  });
}
