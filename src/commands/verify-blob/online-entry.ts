import { X509Certificate } from 'node:crypto';
import type { TransparencyLogEntry } from '@sigstore/protobuf-specs';
import { proposeSignature, verifierOfCertificate, verifierOfKey } from '../../policy/log-proposal.ts';
import type { LoggedVerifier } from '../../policy/log-proposal.ts';
import type { ExpectedSigner } from '../../signing/verification.ts';
import { translateFaults, verificationFault } from '../../signing/verification-fault.ts';
import type { BlobSignature } from '../../statements/cosign-annotations.ts';
import type { RekorV1Client } from '../../transparency/rekor-v1-client.ts';
import { usageFault } from '../policy/usage-fault.ts';

/** A file, its signature, and who must have made it. */
export interface SignedBlob {
  readonly blob: Uint8Array;
  readonly detached: BlobSignature;
  readonly signer: ExpectedSigner;
}

/**
 * The log's entry for a signature that came without one; SET and inclusion proof verified. Throws ERR_VERIFY_LOG_MISSING,
 * ERR_VERIFY_SIGNATURE where the signature does not match file and signer, so that no log took it, ERR_VERIFY_MALFORMED,
 * ERR_USAGE_FLAGS, and as the log client.
 */
export async function findEntry(
  log: RekorV1Client,
  { blob, detached, signer }: SignedBlob,
  options: { readonly signal: AbortSignal },
): Promise<TransparencyLogEntry> {
  const verifier = verifierOf(detached, signer);
  if (verifier === undefined) {
    throw usageFault('the signature came without its certificate', 'Give --certificate, or --bundle.');
  }
  const signature = Buffer.from(detached.signature, 'base64');
  const proposal = proposeSignature({ payload: blob, signature }, verifier);
  if (proposal === undefined && verifier.publicKey.asymmetricKeyType !== 'ed25519') {
    throw verificationFault('ERR_VERIFY_SIGNATURE', 'the signature does not match the content');
  }
  const found = proposal && (await log.find(proposal, options));
  if (found !== undefined) return found.entry;
  throw verificationFault('ERR_VERIFY_LOG_MISSING', `${log.url} has no entry for this signature`);
}

function verifierOf({ certificatePem }: BlobSignature, signer: ExpectedSigner): LoggedVerifier | undefined {
  if (signer.kind === 'key') return verifierOfKey(signer.publicKey);
  if (certificatePem === undefined) return undefined;
  return translateFaults(() => verifierOfCertificate(new X509Certificate(certificatePem)));
}
