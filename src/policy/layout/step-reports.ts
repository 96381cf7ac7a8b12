import { isAppError } from '../../model/errors.ts';
import type { Evidence } from '../../signing/evidence-material.ts';
import type { MetadataKey } from '../../signing/metadata-key.ts';
import { isMatch } from '../../signing/certificate-identity.ts';
import type { TextMatch } from '../../signing/certificate-identity.ts';
import { verifyByCertificate, verifySignedEntity } from '../../signing/verification.ts';
import type { VerificationDemands } from '../../signing/verification.ts';
import { inTotoPayloadType } from '../../statements/dsse.ts';
import { layoutFault } from '../../statements/layout-fault.ts';
import type { LayoutStep } from '../../statements/layout.ts';
import { isStatement, linkOfStatement, readLink } from '../../statements/link.ts';
import type { Link } from '../../statements/link.ts';
import type { SignedMetadata } from '../../statements/signed-metadata.ts';
import { parseStatement } from '../../statements/statement.ts';

/** What one functionary says of a step, verified. */
export interface StepReport {
  /** Key id, or the subject of a certificate. */
  readonly functionary: string;
  /** One for one functionary, whatever ids the key has. */
  readonly fingerprint: string;
  /** Where it was found. */
  readonly source: string;
  readonly link: Link;
}

/** Something found about a step, unverified. */
export interface FoundEvidence {
  readonly source: string;
  readonly evidence: Evidence;
}

/** A key that may report on a step. */
export interface Functionary {
  readonly keyid: string;
  readonly key: MetadataKey;
}

/** By whom and how certificates in evidence are believed, where a layout names functionaries by certificate. */
export interface CertificateTrust {
  readonly issuer: TextMatch;
  readonly demands: VerificationDemands;
}

/** Who may report by an attestation. */
export interface EvidenceTrust {
  readonly functionaries: readonly Functionary[];
  readonly trust: CertificateTrust | undefined;
  readonly unwitnessed: VerificationDemands;
}

/** The link in metadata that a functionary signed. Throws ERR_LAYOUT_SIGNATURE, ERR_LAYOUT_FORMAT, ERR_STATEMENT. */
export function reportOf(
  metadata: SignedMetadata,
  step: LayoutStep,
  { keyid, key }: Functionary,
  source: string,
): StepReport {
  requireSigned(metadata, key, source);
  const { signed } = metadata;
  const link = isStatement(signed)
    ? linkOfStatement(parseStatement(Buffer.from(JSON.stringify(signed))), step.name, source)
    : readLink(signed, step.name, source);
  return { functionary: keyid, fingerprint: key.fingerprint, source, link };
}

/** Requires that a key signed metadata: the ids beside the signatures are hints. Throws ERR_LAYOUT_SIGNATURE. */
export function requireSigned(
  { signatures, signedBytes }: SignedMetadata,
  key: MetadataKey,
  object: string,
): void {
  if (signatures.some(({ sig }) => key.verify(signedBytes, sig))) return;
  throw layoutFault('ERR_LAYOUT_SIGNATURE', object, 'the key that is expected did not sign it');
}

/**
 * Whoever of the functionaries signed an attestation reports by it. A key needs no witness, as with links; a certificate needs
 * a log entry. Throws as `verifySignedEntity` if nobody did, ERR_LAYOUT_FORMAT, ERR_STATEMENT.
 */
export function reportsOfEvidence(
  { evidence, source }: FoundEvidence,
  step: LayoutStep,
  { functionaries, trust, unwitnessed }: EvidenceTrust,
): readonly StepReport[] {
  let fault: unknown = layoutFault('ERR_LAYOUT_SIGNATURE', source, 'no functionary of the step signed it');
  const reports: StepReport[] = [];
  for (const { keyid, key } of functionaries) {
    try {
      const verified = verifySignedEntity(evidence, { kind: 'key', publicKey: key.publicKey }, unwitnessed);
      const link = linkIn(verified, step, source);
      reports.push({ functionary: keyid, fingerprint: key.fingerprint, source, link });
    } catch (error) {
      if (!isAppError(error)) throw error;
      fault = error;
    }
  }
  if (trust !== undefined && reports.length === 0)
    return [certifiedReport({ evidence, source }, step, trust)];
  if (reports.length > 0) return reports;
  throw fault;
}

function certifiedReport(
  { evidence, source }: FoundEvidence,
  step: LayoutStep,
  { issuer, demands }: CertificateTrust,
): StepReport {
  const verified = verifyByCertificate(evidence, demands);
  const { identity } = verified.signer;
  // A certificate of Fulcio has one name.
  const isMeant = step.certificateConstraints.some(
    ({ names }) => names.length === 1 && names[0] === identity.subject,
  );
  if (!isMeant || !isMatch(issuer, identity.issuer)) {
    throw layoutFault(
      'ERR_LAYOUT_SIGNATURE',
      source,
      `${identity.subject} of ${identity.issuer} is no functionary of step ${step.name}`,
    );
  }
  const link = linkIn(verified, step, source);
  return { functionary: identity.subject, fingerprint: identity.subject, source, link };
}

function linkIn(
  { payload, payloadType }: { readonly payload: Uint8Array; readonly payloadType?: string },
  step: LayoutStep,
  source: string,
): Link {
  if (payloadType !== inTotoPayloadType)
    throw layoutFault('ERR_LAYOUT_FORMAT', source, 'it is no attestation');
  return linkOfStatement(parseStatement(payload), step.name, source);
}
