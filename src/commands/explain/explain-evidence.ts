import type { TransparencyLogEntry } from '@sigstore/protobuf-specs';
import { isAppError } from '../../model/errors.ts';
import type { AppError } from '../../model/errors.ts';
import { formatRepository } from '../../model/image-reference.ts';
import type { PinnedImage } from '../../model/image-reference.ts';
import { parseClaim } from '../../policy/evidence-claim.ts';
import { aboutAnother } from '../../policy/evidence-finding.ts';
import type { EvidenceClaim } from '../../policy/evidence-claim.ts';
import type { EvidencePiece } from '../../policy/image-evidence.ts';
import { attachmentTag } from '../../registry/attachments-by-tag.ts';
import { verificationFault } from '../../signing/verification-fault.ts';
import { verifyByCertificate, verifySignedEntity } from '../../signing/verification.ts';
import type { ExpectedSigner, VerifiedEvidence } from '../../signing/verification.ts';
import { logKeysOf } from '../../signing/trust-root.ts';
import type { TrustRoot } from '../../signing/trust-root.ts';
import type { Statement } from '../../statements/statement.ts';
import { verifyInclusion } from '../../transparency/entry-verification.ts';
import { searchPlaces } from './explain-places.ts';
import type { SearchedPlace, SearchParts } from './explain-places.ts';
import type { ExplainedEntry, ExplainedPiece } from './explanation-report.ts';

/** A key that a policy names. */
export type NamedKey = Extract<ExpectedSigner, { kind: 'key' }>;

/** What evidence is verified with. */
export interface ExplainingParts extends SearchParts {
  /** Tried in turn. */
  readonly trustRoots: readonly TrustRoot[];
  readonly keys: readonly NamedKey[];
  /** Of evidence that a policy accepted, by {@link acceptedKey}. */
  readonly accepted: ReadonlySet<string>;
  readonly at: Date;
}

/** A piece with what it attests, if it verified, and the entries to ask the log about. */
export interface FoundPiece {
  readonly explained: ExplainedPiece;
  readonly statement?: Statement;
  readonly entries: readonly TransparencyLogEntry[];
}

/**
 * All evidence beside an image and where the authorities look for it, each piece verified by itself, whoever signed it.
 * Throws passing faults.
 */
export async function explainEvidence(
  pinned: PinnedImage,
  parts: ExplainingParts,
): Promise<{ readonly pieces: readonly FoundPiece[]; readonly obstacles: readonly string[] }> {
  const { places, obstacles } = await searchPlaces(pinned, parts);
  const pieces = places.flatMap((place) =>
    place.pieces.map((piece) => explainPiece(piece, placeInWords(piece, place, pinned), pinned, parts)),
  );
  return { pieces, obstacles };
}

function explainPiece(
  piece: EvidencePiece,
  place: string,
  pinned: PinnedImage,
  parts: ExplainingParts,
): FoundPiece {
  const { layout, ref } = piece;
  const base = { layout, ref, place };
  const outcome = verify(piece, pinned, parts);
  if (isAppError(outcome)) {
    const { code, message } = outcome;
    return {
      explained: { ...base, standing: 'rejected', entries: [], reason: { code, message } },
      entries: [],
    };
  }
  const { verified, claim, trustRoot } = outcome;
  const { signer, witnessedAt } = verified;
  // Entries of logs that the trust root does not hold were left aside.
  const entries = verified.logEntries.flatMap(({ logId, logIndex }) => {
    const all = piece.material?.bundle.verificationMaterial.tlogEntries ?? [];
    return (
      all.find((one) => Number(one.logIndex) === logIndex && one.logId?.keyId.toString('hex') === logId) ?? []
    );
  });
  const told =
    signer.kind === 'certificate'
      ? { subject: signer.identity.subject, issuer: signer.identity.issuer }
      : { keyFingerprint: signer.fingerprint };
  const explained: ExplainedPiece = {
    ...base,
    standing: parts.accepted.has(acceptedKey({ ref, signer: told })) ? 'accepted' : 'verified',
    kind: claim.kind,
    ...(claim.kind === 'attestation' ? { predicateType: claim.statement.predicateType } : {}),
    signer: told,
    witnessedAt: witnessedAt.map((time) => time.toISOString()),
    entries: verified.logEntries.flatMap((logged, index) => {
      const entry = entries[index];
      return entry === undefined ? [] : [explainEntry(logged, entry, trustRoot)];
    }),
  };
  return {
    explained,
    entries,
    ...(claim.kind === 'attestation' ? { statement: claim.statement } : {}),
  };
}

/** Tells evidence apart by where it lies and who signed: signatures of several over one payload are one blob. */
export function acceptedKey({
  ref,
  signer,
}: {
  readonly ref: string;
  readonly signer: NonNullable<ExplainedPiece['signer']>;
}): string {
  const who = 'subject' in signer ? [signer.issuer, signer.subject] : [signer.keyFingerprint];
  return JSON.stringify([ref, ...who]);
}

interface Outcome {
  readonly verified: VerifiedEvidence;
  readonly claim: EvidenceClaim;
  readonly trustRoot: TrustRoot;
}

/** The first way in which it verifies; else the fault of the first one. */
function verify(
  { evidence, material, fault }: EvidencePiece,
  { digest }: PinnedImage,
  { trustRoots, keys, at }: ExplainingParts,
): Outcome | AppError {
  if (fault !== undefined) return fault;
  const piece = material ?? evidence;
  const isBare = material?.bundle.verificationMaterial.content.$case === 'publicKey';
  const ways = trustRoots.flatMap((trustRoot) => {
    const requireSct = trustRoot.material.ctlogs.length > 0;
    const demands = { trustRoot, witness: 'log-or-timestamp', requireSct, at } as const;
    // A bare key needs no witness, but one that it has must be good.
    const witness =
      (material?.bundle.verificationMaterial.tlogEntries.length ?? 0) > 0 ? 'log' : 'unsafe-none';
    return isBare
      ? keys.map((key) => ({ trustRoot, run: () => verifySignedEntity(piece, key, { ...demands, witness }) }))
      : [{ trustRoot, run: () => verifyByCertificate(piece, demands) }];
  });
  const faults: AppError[] = [];
  for (const { trustRoot, run } of ways) {
    try {
      const verified = run();
      const claim = parseClaim(verified.payload, verified.payloadType);
      if (!claim.isAbout(digest)) return aboutAnother(digest);
      return { verified, claim, trustRoot };
    } catch (error) {
      if (!isAppError(error)) throw error;
      faults.push(error);
    }
  }
  const none = isBare
    ? 'it was signed with a bare key, and no policy here names one'
    : 'there is no trust root';
  return faults[0] ?? verificationFault('ERR_VERIFY_KEY', none);
}

function explainEntry(
  { logId, logIndex, integratedAt }: VerifiedEvidence['logEntries'][number],
  entry: FoundPiece['entries'][number],
  trustRoot: TrustRoot,
): ExplainedEntry {
  const key = logKeysOf(trustRoot).find((one) => one.logId === logId);
  const base = {
    ...{ logId, logIndex },
    ...(key === undefined ? {} : { log: key.baseUrl }),
    ...(integratedAt === undefined ? {} : { integratedAt: integratedAt.toISOString() }),
  };
  if (key === undefined || entry.inclusionProof?.checkpoint === undefined)
    return { ...base, offline: 'promised' };
  try {
    verifyInclusion(entry, key);
    return { ...base, offline: 'proven', treeSize: Number(entry.inclusionProof.treeSize) };
  } catch (error) {
    if (isAppError(error)) return { ...base, offline: 'promised' };
    throw error;
  }
}

/** The tag, or that it is a referrer; and the repository, if it is not the image's. */
function placeInWords(
  { layout, unverifiedClaim }: EvidencePiece,
  { repository, tagPrefix }: SearchedPlace,
  image: PinnedImage,
): string {
  const name = formatRepository(repository);
  const isBeside = name === formatRepository(image.repository);
  if (layout === 'referrer') return isBeside ? 'referrer of the image' : `referrer in ${name}`;
  const kind = unverifiedClaim?.kind === 'attestation' ? 'att' : 'sig';
  const tag = `tag ${attachmentTag(image.digest, kind, tagPrefix)}`;
  const either = unverifiedClaim === undefined ? `${tag} or .att` : tag;
  return isBeside ? either : `${either} in ${name}`;
}
