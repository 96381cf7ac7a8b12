import { hash } from 'node:crypto';
import { verificationFault } from '../../signing/verification-fault.ts';
import type { Evidence } from '../../signing/evidence-material.ts';
import { verifySignedEntity } from '../../signing/verification.ts';
import type { ExpectedSigner, VerificationDemands, VerifiedEvidence } from '../../signing/verification.ts';
import { inTotoPayloadType } from '../../statements/dsse.ts';
import { parseBundle } from '../../statements/sigstore-bundle.ts';
import { parseStatement } from '../../statements/statement.ts';
import type { StatementSubject } from '../../statements/statement.ts';

const algorithms = ['sha256', 'sha384', 'sha512'] as const;

/**
 * Verifies that evidence is about `blob`: a signature over its bytes, or a signed in-toto statement of which it is a
 * subject. Throws as `verifySignedEntity`, and ERR_STATEMENT; ERR_VERIFY_PAYLOAD_DIGEST if it is about something else.
 */
export function verifyBlob(
  evidence: Evidence,
  blob: Uint8Array,
  expected: { readonly signer: ExpectedSigner; readonly demands: VerificationDemands },
): VerifiedEvidence {
  const verified = verifySignedEntity(evidence, expected.signer, expected.demands);
  if (verified.payloadType !== undefined) requireSubject(verified, blob);
  if (evidence.layout === 'bundle') requireOneRoot(evidence.bytes);
  return verified;
}

/** The checkpoint alone was believed; a proof that states another tree beside it would tell other readers otherwise. */
function requireOneRoot(bundle: Uint8Array): void {
  for (const { inclusionProof } of parseBundle(bundle).verificationMaterial.tlogEntries) {
    if (inclusionProof?.checkpoint === undefined) continue;
    const [, size, root] = inclusionProof.checkpoint.envelope.split('\n');
    const isSame = inclusionProof.treeSize === size && inclusionProof.rootHash.toString('base64') === root;
    if (!isSame) {
      throw verificationFault(
        'ERR_VERIFY_INCLUSION_PROOF',
        'the proof states another tree than its checkpoint',
      );
    }
  }
}

function requireSubject({ payload, payloadType }: VerifiedEvidence, blob: Uint8Array): void {
  if (payloadType !== inTotoPayloadType) {
    throw verificationFault('ERR_VERIFY_MALFORMED', `it signs ${payloadType ?? ''}, which tells of no file`);
  }
  const { subject } = parseStatement(payload);
  if (subject.some((one) => isAbout(one, blob))) return;
  throw verificationFault('ERR_VERIFY_PAYLOAD_DIGEST', 'the signed statement is about other files');
}

/** Every digest that we can compute must agree: one that does not makes it another file. */
function isAbout({ digest }: StatementSubject, blob: Uint8Array): boolean {
  const stated = algorithms.filter((algorithm) => Object.hasOwn(digest, algorithm));
  return stated.length > 0 && stated.every((algorithm) => digest[algorithm] === hash(algorithm, blob, 'hex'));
}
