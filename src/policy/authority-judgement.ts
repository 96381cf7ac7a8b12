import { digestOf } from '../model/digest.ts';
import type { Digest } from '../model/digest.ts';
import { isAppError } from '../model/errors.ts';
import type { EvidenceLayout } from '../model/signing-record.ts';
import type { CompiledAttestation, CompiledAuthority, SigningAuthority } from './compiled-policy.ts';
import type { EvidenceClaim } from './evidence-claim.ts';
import type { EvidenceFinder } from './evidence-finder.ts';
import type { Finding, VerifiedPiece } from './evidence-finding.ts';
import type { CompiledPolicy, EvaluationMode } from './evaluation/policy-engine.ts';
import type { EvidencePiece, EvidenceSource, ImageEvidence } from './image-evidence.ts';
import type { AuthorityResult, CheckReason, CheckResult } from './judgement.ts';
import { toAcceptedEvidence } from './accepted-evidence.ts';
import { evaluateDocument, toDocument } from './policy-document.ts';

/** What an authority judges. */
export interface AuthorityCase {
  readonly digest: Digest;
  readonly source: EvidenceSource;
  /** Whether all evidence is looked at, or no more than it takes to pass. */
  readonly thorough: boolean;
  readonly finder: Pick<EvidenceFinder, 'find'>;
  readonly mode: EvaluationMode;
  readonly signal: AbortSignal;
}

/** An authority's result with the evidence that passed, by check. */
export interface AuthorityOutcome {
  readonly result: AuthorityResult;
  readonly signatures: readonly VerifiedPiece[];
  readonly attestations: ReadonlyMap<string, readonly VerifiedPiece[]>;
}

interface FoundEvidence extends AuthorityCase, ImageEvidence {
  /** Both layouts hold the same statement: it is evaluated once. */
  readonly judged: Map<CompiledPolicy, Map<string, Promise<readonly CheckReason[]>>>;
}

interface CheckOutcome {
  readonly result: CheckResult;
  readonly passing: readonly VerifiedPiece[];
}

/** More reasons than these explain a failed check no better. */
const maxReasons = 5;
// Tags take fewer requests.
const layoutsInTurn = ['tag', 'referrer'] as const;

/**
 * Makes all checks of an authority; none is left out because another failed. Unless it has to be thorough, evidence of
 * one layout is read after that of the other, if that one does not suffice. Throws what reading and evaluation throw in passing.
 */
export async function judgeByAuthority(
  authority: CompiledAuthority,
  asked: AuthorityCase,
): Promise<AuthorityOutcome> {
  if (authority.kind === 'static') {
    return { result: staticResult(authority), signatures: [], attestations: new Map() };
  }
  const judged: FoundEvidence['judged'] = new Map();
  const judge = async (layouts: readonly EvidenceLayout[]): Promise<AuthorityOutcome> => {
    const found = await Promise.all(layouts.map(asked.source.read));
    const pieces = found.flatMap((one) => one.pieces);
    const obstacles = [...new Set(found.flatMap((one) => one.obstacles))];
    return makeChecks(authority, { ...asked, pieces, obstacles, judged });
  };
  const layouts = layoutsInTurn.filter((layout) => authority.layouts.includes(layout));
  if (layouts.length > 1 && !asked.thorough) {
    const outcome = await judge(layouts.slice(0, 1));
    if (outcome.result.passed) return outcome;
  }
  return judge(layouts);
}

async function makeChecks(authority: SigningAuthority, found: FoundEvidence): Promise<AuthorityOutcome> {
  const signature = authority.wantsSignature ? await checkSignature(authority, found) : undefined;
  const attested = await Promise.all(
    authority.attestations.map((wanted) => checkAttestation(authority, wanted, found)),
  );
  const checks = [...(signature === undefined ? [] : [signature]), ...attested].map(({ result }) => result);
  const { name, kind } = authority;
  const passed = checks.every(({ outcome }) => outcome === 'passed');
  return {
    result: { authority: name, kind, passed, checks },
    signatures: signature?.passing ?? [],
    attestations: new Map(
      attested
        .filter(({ result }) => result.outcome === 'passed')
        .map(({ result, passing }) => [result.check, passing]),
    ),
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

async function checkSignature(authority: SigningAuthority, found: FoundEvidence): Promise<CheckOutcome> {
  const reasons: CheckReason[] = [];
  const passing: VerifiedPiece[] = [];
  for (const piece of found.pieces.filter(({ unverifiedClaim: claim }) => claim?.kind === 'signature')) {
    const finding = await found.finder.find(piece, authority.signer, authority.demands);
    if (!isVerified(finding)) reasons.push(faultOf(finding));
    else if (finding.claim.kind === 'signature') passing.push(finding);
    if (passing.length > 0 && !found.thorough) break;
  }
  const absent = 'no signature lies beside the image';
  return toOutcome({ check: 'signature' }, { passing, reasons, absent }, found);
}

async function checkAttestation(
  authority: SigningAuthority,
  wanted: CompiledAttestation,
  found: FoundEvidence,
): Promise<CheckOutcome> {
  const { name: check, predicateType } = wanted;
  const faults: CheckReason[] = [];
  const unmet: CheckReason[] = [];
  const passing: VerifiedPiece[] = [];
  for (const piece of found.pieces.filter((one) => isOfType(one.unverifiedClaim, predicateType))) {
    const finding = await found.finder.find(piece, authority.signer, authority.demands);
    if (!isVerified(finding)) {
      faults.push(faultOf(finding));
      continue;
    }
    if (!isOfType(finding.claim, predicateType)) continue;
    const rules = await unmetRules(finding, wanted, found);
    if (rules.length === 0) passing.push(finding);
    unmet.push(...rules);
    if (passing.length > 0 && !found.thorough) break;
  }
  const absent = `no attestation of type ${predicateType}${othersThan(found.pieces)}`;
  return toOutcome({ check, predicateType }, { passing, reasons: [...faults, ...unmet], absent }, found);
}

function isOfType(claim: EvidenceClaim | undefined, predicateType: string): boolean {
  return claim?.kind === 'attestation' && claim.statement.predicateType === predicateType;
}

/** What of an attestation's policy a verified statement does not meet. */
async function unmetRules(
  { claim, piece }: VerifiedPiece,
  { policy, typed }: CompiledAttestation,
  found: FoundEvidence,
): Promise<readonly CheckReason[]> {
  if (policy === undefined || claim.kind !== 'attestation') return [];
  try {
    const document = toDocument(claim.statement, typed);
    // By the policy itself: names of attestations need not differ.
    const judged = found.judged.get(policy) ?? new Map<string, Promise<readonly CheckReason[]>>();
    found.judged.set(policy, judged);
    const digest = digestOf(document);
    const judging = judged.get(digest) ?? evaluateDocument(policy, document, found);
    judged.set(digest, judging);
    return (await judging).map((reason) => ({ ...reason, ref: piece.ref }));
  } catch (error) {
    if (!isAppError(error) || error.code !== 'ERR_POLICY_DOCUMENT') throw error;
    return [{ code: error.code, message: error.message, ref: piece.ref }];
  }
}

function faultOf({ fault, piece }: Exclude<Finding, VerifiedPiece>): CheckReason {
  return { code: fault.code, message: fault.message, ref: piece.ref };
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
