import { hash } from 'node:crypto';
import type { TransparencyLogEntry } from '@sigstore/protobuf-specs';
import { z } from 'zod';
import { verificationFault } from '../../signing/verification-fault.ts';
import type { RekorV1Client } from '../../transparency/rekor-v1-client.ts';

// As many signatures of one file are looked at.
const maxEntries = 100;
const algorithms = ['sha256', 'sha384', 'sha512'] as const;
const body = z.object({ spec: z.object({ signature: z.object({ content: z.string() }) }) });

/**
 * The log's entry for a signature that came without one, found by the file's digest; SET and inclusion proof verified.
 * Throws ERR_VERIFY_LOG_MISSING, and as the log client.
 */
export async function findEntry(
  log: RekorV1Client,
  signed: { readonly blob: Uint8Array; readonly signature: string },
  options: { readonly signal: AbortSignal },
): Promise<TransparencyLogEntry> {
  for (const algorithm of algorithms) {
    const digest = `${algorithm}:${hash(algorithm, signed.blob, 'hex')}`;
    const uuids = await log.search({ hash: digest }, options);
    for (const uuid of uuids.slice(-maxEntries).reverse()) {
      const { entry } = await log.getEntry({ uuid }, options);
      if (signatureOf(entry)?.equals(Buffer.from(signed.signature, 'base64')) === true) return entry;
    }
  }
  throw verificationFault('ERR_VERIFY_LOG_MISSING', `${log.url} has no entry for this signature`);
}

function signatureOf({ canonicalizedBody }: TransparencyLogEntry): Buffer | undefined {
  const parsed = body.safeParse(JSON.parse(canonicalizedBody.toString('utf8')));
  return parsed.success ? Buffer.from(parsed.data.spec.signature.content, 'base64') : undefined;
}
