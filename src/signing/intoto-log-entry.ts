import { hash } from 'node:crypto';
import type { TransparencyLogEntry } from '@sigstore/bundle';
import { verifyTLogInclusion } from '@sigstore/verify/dist/tlog/index.js';
import { z } from 'zod';
import type { TrustRoot } from './trust-root.ts';
import { translateFaults, verificationFault } from './verification-fault.ts';

const bodyShape = z.object({
  kind: z.literal('intoto'),
  apiVersion: z.literal('0.0.1'),
  spec: z.object({
    content: z.object({ payloadHash: z.object({ algorithm: z.literal('sha256'), value: z.string() }) }),
  }),
});

/** True for the kind of entry in which Tekton Chains logs its attestations; @sigstore/verify does not know it. */
export function isIntotoV001({ kindVersion }: TransparencyLogEntry): boolean {
  return kindVersion.kind === 'intoto' && kindVersion.version === '0.0.1';
}

/**
 * Verifies an `intoto` 0.0.1 entry of Rekor v1 (rekor, pkg/types/intoto/v0.0.1): that the log holds it, and that it is
 * about this payload. The entry keeps no signature, only who signed, which `requireEntryOfSigner` compares. Throws
 * ERR_VERIFY_LOG_ENTRY, ERR_VERIFY_SET, ERR_VERIFY_INCLUSION_PROOF, ERR_VERIFY_CHECKPOINT.
 */
export function requireIntotoV001(
  entry: TransparencyLogEntry,
  payload: Uint8Array,
  { material }: TrustRoot,
): void {
  translateFaults(() => {
    verifyTLogInclusion(entry, material.tlogs);
  });
  const body = bodyShape.safeParse(parseBody(entry));
  if (body.data?.spec.content.payloadHash.value === hash('sha256', payload, 'hex')) return;
  throw verificationFault('ERR_VERIFY_LOG_ENTRY', 'the log entry is about another payload');
}

function parseBody({ canonicalizedBody }: TransparencyLogEntry): unknown {
  try {
    return JSON.parse(canonicalizedBody.toString('utf8'));
  } catch (error) {
    throw verificationFault('ERR_VERIFY_LOG_ENTRY', "the log entry's body is malformed", error);
  }
}
