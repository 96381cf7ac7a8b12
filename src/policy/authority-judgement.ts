import { digestOf } from '../model/digest.ts';
import type { Digest } from '../model/digest.ts';
import { isAppError } from '../model/errors.ts';
import type { CompiledAttestation, CompiledAuthority, SigningAuthority } from './compiled-policy.ts';
import type { EvidenceClaim } from './evidence-claim.ts';
import type { EvidenceVerifier, Finding, VerifiedPiece } from './evidence-finding.ts';
import type { EvaluationMode } from './evaluation/policy-engine.ts';
import type { ImageEvidence, EvidencePiece } from './image-evidence.ts';
import type { AuthorityResult, CheckReason, CheckResult } from './judgement.ts';
import { toAcceptedEvidence } from './accepted-evidence.ts';
import { evaluateDocument, toDocument } from './policy-document.ts';

/** What an authority judges. */
export interface AuthorityCase {
  readonly digest: Digest;
  readonly evidence: ImageEvidence;
  readonly verifier: EvidenceVerifier;
  readonly mode: EvaluationMode;
  readonly signal: AbortSignal;
}

/** An authority's result with the evidence that passed, by check. */
export interface AuthorityOutcome {
  readonly result: AuthorityResult;
  readonly signatures: readonly VerifiedPiece[];
  readonly attestations: ReadonlyMap<string, readonly VerifiedPiece[]>;
}

interface CheckOutcome {
  readonly result: CheckResult;
  readonly passing: readonly VerifiedPiece[];
}

/** More reasons than these explain a failed check no better. */
const maxReasons = 5;

/** Makes all checks of an authority; none is left out because another failed. Throws what evaluation throws in passing. */
export async function judgeByAuthority(
  authority: CompiledAuthority,
  asked: AuthorityCase,
): Promise<AuthorityOutcome> {
  if (authority.kind === 'static') {
    return { result: staticResult(authority), signatures: [], attestations: new Map() };
  }
  const pieces = asked.evidence.pieces.filter(({ layout }) => authority.layouts.includes(layout));
  const signature = authority.wantsSignature ? checkSignature(authority, pieces, asked) : undefined;
  const attestations = new Map<string, readonly VerifiedPiece[]>();
  const checks: CheckResult[] = signature === undefined ? [] : [signature.result];
  for (const wanted of authority.attestations) {
    const { result, passing } = await checkAttestation({ authority, wanted, pieces }, asked);
    checks.push(result);
    if (result.outcome === 'passed') attestations.set(wanted.name, passing);
  }
  const { name, kind } = authority;
  const passed = checks.every(({ outcome }) => outcome === 'passed');
  return {
    result: { authority: name, kind, passed, checks },
    signatures: signature?.passing ?? [],
    attestations,
  };
}

function staticResult({
  name,
  action,
  message,
}: Extract<CompiledAuthority, { kind: 'static' }>): AuthorityResult {
  const passed = action === 'pass';
  // policy-controller's words.
  const why = `disallowed by static policy${message === '' ? '' : `: ${message}`}`;
  const reasons = passed ? [] : [{ code: 'ERR_POLICY_STATIC', message: why }];
  const outcome = passed ? ('passed' as const) : ('invalid' as const);
  return {
    authority: name,
    kind: 'static',
    passed,
    checks: [{ check: 'static', outcome, evidence: [], reasons }],
  };
}

function checkSignature(
  authority: SigningAuthority,
  pieces: readonly EvidencePiece[],
  asked: AuthorityCase,
): CheckOutcome {
  const candidates = pieces.filter(({ unverifiedClaim }) => unverifiedClaim?.kind === 'signature');
  const findings = candidates.map((piece) => asked.verifier.find(piece, authority.signer, authority.demands));
  const passing = findings.filter(isVerified).filter(({ claim }) => claim.kind === 'signature');
  const absent = 'no signature lies beside the image';
  return toOutcome({ check: 'signature' }, { passing, reasons: faultsOf(findings), absent }, asked.evidence);
}

async function checkAttestation(
  parts: {
    readonly authority: SigningAuthority;
    readonly wanted: CompiledAttestation;
    readonly pieces: readonly EvidencePiece[];
  },
  asked: AuthorityCase,
): Promise<CheckOutcome> {
  const { authority, wanted, pieces } = parts;
  const { name: check, predicateType } = wanted;
  const candidates = pieces.filter(({ unverifiedClaim }) => isOfType(unverifiedClaim, predicateType));
  const findings = candidates.map((piece) => asked.verifier.find(piece, authority.signer, authority.demands));
  const reasons = [...faultsOf(findings)];
  const passing: VerifiedPiece[] = [];
  // Both layouts hold the same statement: it is evaluated once.
  const judged = new Map<string, readonly CheckReason[]>();
  for (const finding of findings.filter(isVerified)) {
    if (!isOfType(finding.claim, predicateType)) continue;
    const unmet = await unmetRules(finding, wanted, { asked, judged });
    if (unmet.length === 0) passing.push(finding);
    reasons.push(...unmet);
  }
  const absent = `no attestation of type ${predicateType}${othersThan(pieces)}`;
  return toOutcome({ check, predicateType }, { passing, reasons, absent }, asked.evidence);
}

function isOfType(claim: EvidenceClaim | undefined, predicateType: string): boolean {
  return claim?.kind === 'attestation' && claim.statement.predicateType === predicateType;
}

/** What of an attestation's policy a verified statement does not meet. */
async function unmetRules(
  { claim, piece }: VerifiedPiece,
  { policy }: CompiledAttestation,
  parts: { readonly asked: AuthorityCase; readonly judged: Map<string, readonly CheckReason[]> },
): Promise<readonly CheckReason[]> {
  if (policy === undefined || claim.kind !== 'attestation') return [];
  const { asked, judged } = parts;
  const document = toDocument(claim.statement);
  const key = digestOf(document);
  const reasons = judged.get(key) ?? (await evaluateDocument(policy, document, asked));
  judged.set(key, reasons);
  return reasons.map((reason) => ({ ...reason, ref: piece.ref }));
}

function faultsOf(findings: readonly Finding[]): readonly CheckReason[] {
  return findings.flatMap((finding) => {
    if (isVerified(finding)) return [];
    const { fault, piece } = finding;
    return [{ code: fault.code, message: fault.message, ref: piece.ref }];
  });
}

function isVerified(finding: Finding): finding is VerifiedPiece {
  return !('fault' in finding);
}

function toOutcome(
  named: Pick<CheckResult, 'check' | 'predicateType'>,
  found: {
    readonly passing: readonly VerifiedPiece[];
    readonly reasons: readonly CheckReason[];
    readonly absent: string;
  },
  { obstacles, pieces }: ImageEvidence,
): CheckOutcome {
  const { passing, reasons, absent } = found;
  const evidence = passing.map(toAcceptedEvidence);
  if (passing.length > 0) return { result: { ...named, outcome: 'passed', evidence, reasons: [] }, passing };
  if (reasons.length > 0) {
    const distinct = [...new Map(reasons.map((one) => [`${one.code} ${one.message}`, one])).values()];
    const result = {
      ...named,
      outcome: 'invalid' as const,
      evidence,
      reasons: distinct.slice(0, maxReasons),
    };
    return { result, passing };
  }
  const unreadable = pieces.flatMap(({ fault, ref }) =>
    isAppError(fault) ? [`${ref} is unreadable: ${fault.message}`] : [],
  );
  const hindered = [...obstacles, ...unreadable].slice(0, maxReasons - 1);
  const missing = [absent, ...hindered].map((message) => ({ code: 'ERR_POLICY_EVIDENCE_MISSING', message }));
  return { result: { ...named, outcome: 'missing', evidence, reasons: missing }, passing };
}

function othersThan(pieces: readonly EvidencePiece[]): string {
  const types = new Set(
    pieces.flatMap(({ unverifiedClaim }) =>
      unverifiedClaim?.kind === 'attestation' ? [unverifiedClaim.statement.predicateType] : [],
    ),
  );
  if (types.size === 0) return '';
  const shown = [...types].slice(0, maxReasons).map((type) => JSON.stringify(type.slice(0, 160)));
  return `; there are ${shown.join(', ')}`;
}
