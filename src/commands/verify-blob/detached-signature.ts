import { stat } from 'node:fs/promises';
import { AppError } from '../../model/errors.ts';
import type { BlobSignature } from '../../statements/cosign-annotations.ts';
import { findBase64 } from '../../statements/base64.ts';
import { readBlob, readInput } from '../wiring/input-file.ts';

/** cosign's flags for a signature without bundle. */
export interface DetachedFlags {
  readonly signature?: string;
  readonly certificate?: string;
  readonly rfc3161Timestamp?: string;
}

/**
 * The signature, certificate and timestamp that flags name. As cosign takes them: the signature as base64, in a file or
 * itself, or its bytes; the certificate as PEM or base64 of PEM. Throws ERR_USAGE_FILE, ERR_USAGE_SIGNATURE.
 */
export async function readDetached(
  { signature = '', certificate, rfc3161Timestamp }: DetachedFlags,
  options: { readonly signal: AbortSignal },
): Promise<BlobSignature> {
  return {
    signature: await readSignature(signature, options),
    certificatePem:
      certificate === undefined ? undefined : pemOf(await readInput(certificate, options), certificate),
    timestamp: rfc3161Timestamp === undefined ? undefined : await readInput(rfc3161Timestamp, options),
  };
}

async function readSignature(given: string, options: { readonly signal: AbortSignal }): Promise<string> {
  const isFile = await stat(given).then(
    () => true,
    () => false,
  );
  const bytes = isFile || given === '-' ? await readBlob(given, options) : Buffer.from(given);
  const text = bytes.toString('latin1').trim();
  if (text !== '' && findBase64(text) !== undefined) return text;
  if (isFile && bytes.length > 0) return bytes.toString('base64');
  throw unusable(`"${given.slice(0, 200)}" is neither a file nor a signature in base64`);
}

function pemOf(text: string, file: string): string {
  const pem = text.startsWith('-----BEGIN') ? text : (findBase64(text.trim())?.toString('latin1') ?? '');
  if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem;
  throw unusable(`${file} holds no certificate`);
}

function unusable(message: string): AppError {
  return new AppError('ERR_USAGE_SIGNATURE', message, {
    kind: 'permanent',
    remedy: 'Give what --output-signature and --output-certificate wrote.',
  });
}
