import type { Digest } from '../../model/digest.ts';
import { AppError } from '../../model/errors.ts';
import type { PinnedImage } from '../../model/image-reference.ts';
import type { EvidenceLayout } from '../../model/signing-record.ts';
import { listBundles } from '../../registry/attachments-by-referrer.ts';
import { readAttachments } from '../../registry/attachments-by-tag.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import type { Evidence } from '../../signing/evidence-material.ts';
import { verifySignedEntity } from '../../signing/verification.ts';
import type { ExpectedSigner, VerificationDemands, VerifiedEvidence } from '../../signing/verification.ts';
import { inTotoPayloadType } from '../../statements/dsse.ts';
import { parseSimpleSigning } from '../../statements/simple-signing.ts';
import { findSubject, parseStatement, predicateTypes } from '../../statements/statement.ts';

/** A piece of evidence as it was found beside an image, unverified. */
export interface FoundEvidence {
  readonly layout: EvidenceLayout;
  readonly evidence: Evidence;
}

/** Whom and what evidence is checked against. */
export interface EvidenceCheck {
  readonly digest: Digest;
  readonly signer: ExpectedSigner;
  readonly demands: VerificationDemands;
}

const names: Readonly<Record<string, string>> = {
  [predicateTypes.cosignSign]: 'signature',
  [predicateTypes.slsaProvenanceV02]: 'provenance',
  [predicateTypes.cycloneDx]: 'SBOM',
};

/** All evidence beside an image: the layers of cosign's two tags, then the bundles among its referrers. */
export async function readEvidenceOf(
  store: ImageStore,
  image: PinnedImage,
  options: { readonly signal: AbortSignal },
): Promise<readonly FoundEvidence[]> {
  const found: FoundEvidence[] = [];
  for (const kind of ['sig', 'att'] as const) {
    for (const { descriptor, annotations, load } of await readAttachments(store, image, kind, options)) {
      const content = await load(options);
      const { mediaType } = descriptor;
      found.push({ layout: 'tag', evidence: { layout: 'tag', mediaType, content, annotations } });
    }
  }
  for (const { load } of (await listBundles(store, image, options)).candidates) {
    const bytes = await load(options);
    if (bytes !== undefined) found.push({ layout: 'referrer', evidence: { layout: 'bundle', bytes } });
  }
  return found;
}

/** Verifies evidence and that it is about the image. Throws as `verifySignedEntity`, and ERR_VERIFY_SUBJECT. */
export function verifyEvidence(
  { evidence }: FoundEvidence,
  { digest, signer, demands }: EvidenceCheck,
): VerifiedEvidence & { readonly name: string } {
  const verified = verifySignedEntity(evidence, signer, demands);
  const { payload, payloadType } = verified;
  if (payloadType !== inTotoPayloadType) {
    if (parseSimpleSigning(payload).digest !== digest) throw aboutAnother(digest);
    return { ...verified, name: 'signature' };
  }
  const statement = parseStatement(payload);
  if (findSubject(statement, digest) === undefined) throw aboutAnother(digest);
  return { ...verified, name: names[statement.predicateType] ?? statement.predicateType };
}

function aboutAnother(digest: Digest): AppError {
  return new AppError('ERR_VERIFY_SUBJECT', `the evidence is about another image than ${digest}`, {
    kind: 'permanent',
    object: digest,
    remedy: 'Find out who put it there.',
  });
}
