import type { Clock } from '../model/clock.ts';
import { formatRepository } from '../model/image-reference.ts';
import type { PinnedImage, Repository } from '../model/image-reference.ts';
import { isIndexMediaType } from '../model/oci.ts';
import type { ImageStore } from '../registry/image-store.ts';
import { judgeByAuthority } from './authority-judgement.ts';
import type { AuthorityOutcome } from './authority-judgement.ts';
import type { CompiledAuthority, CompiledClusterPolicy } from './compiled-policy.ts';
import { EvidenceVerifier } from './evidence-finding.ts';
import { readImageEvidence } from './image-evidence.ts';
import type { ImageEvidence } from './image-evidence.ts';
import type { CheckReason, ImageJudgement, PolicyResult } from './judgement.ts';
import { nextStepOf } from './next-step.ts';
import { isInScope } from './policy-matching.ts';
import type { WorkloadKind } from './policy-matching.ts';
import { evaluateDocument } from './policy-document.ts';
import { wholeDocument } from './whole-document.ts';

/** An image that an object wants to run. */
export interface JudgedImage {
  /** As the object has it. */
  readonly image: string;
  readonly pinned: PinnedImage;
  readonly workload: WorkloadKind;
  /** The whole object, for policies that ask for parts of it. */
  readonly object: Readonly<Record<string, unknown>>;
}

/** What to do with an image that no policy is about. */
export type NoMatchPolicy = 'deny' | 'warn' | 'allow';

/** What judging takes. */
export interface JudgeParts {
  readonly store: ImageStore;
  readonly clock: Clock;
  readonly noMatch: NoMatchPolicy;
  readonly signal: AbortSignal;
}

/**
 * Judges an image by all policies that are about it: each has to be met, by one of its authorities. Evidence is fetched
 * once, and only if an authority asks for it. The result is a value; throws passing faults (the registry cannot be
 * reached, the engine is busy), upon which a caller has to deny.
 */
export async function judgeImage(
  asked: JudgedImage,
  policies: readonly CompiledClusterPolicy[],
  parts: JudgeParts,
): Promise<ImageJudgement> {
  const { image, pinned, workload } = asked;
  const name = `${formatRepository(pinned.repository)}@${pinned.digest}`;
  const matching = policies.filter((policy) => isInScope(policy, name, workload));
  const base = { image, digest: pinned.digest };
  if (matching.length === 0) return unmatched(base, parts.noMatch);
  const session = { ...parts, verifier: new EvidenceVerifier(pinned.digest, parts.clock.now()) };
  const evidenceAt = evidenceReader(pinned, parts);
  const results = await Promise.all(
    matching.map((policy) => judgeByPolicy(policy, asked, { ...session, evidenceAt })),
  );
  const failed = results.filter(({ passed }) => !passed);
  const outcome = failed.some(({ mode }) => mode === 'enforce') ? 'denied' : 'warned';
  if (failed.length === 0) return { ...base, outcome: 'admitted', policies: results, reasons: [] };
  const nextStep = nextStepOf(failed, { isIndex: lacksEvidence(failed) && (await isIndex(pinned, parts)) });
  return { ...base, outcome, policies: results, reasons: [], nextStep };
}

function lacksEvidence(failed: readonly PolicyResult[]): boolean {
  return failed.some(({ authorities }) =>
    authorities.some(({ checks }) => checks.some(({ outcome }) => outcome === 'missing')),
  );
}

async function isIndex({ repository, digest }: PinnedImage, { store, signal }: JudgeParts): Promise<boolean> {
  const found = await store.headManifest(repository, digest, { signal });
  return found !== undefined && isIndexMediaType(found.mediaType);
}

function unmatched(base: Pick<ImageJudgement, 'image' | 'digest'>, noMatch: NoMatchPolicy): ImageJudgement {
  if (noMatch === 'allow') return { ...base, outcome: 'admitted', policies: [], reasons: [] };
  return {
    ...base,
    outcome: noMatch === 'warn' ? 'warned' : 'denied',
    policies: [],
    reasons: [{ code: 'ERR_POLICY_NO_MATCH', message: 'no matching policies' }],
    nextStep: `Let an image glob of a ClusterImagePolicy match ${base.image}, or use an image that one matches.`,
  };
}

type EvidenceReader = (repository: Repository) => Promise<ImageEvidence>;

/** Reads each place once, however many authorities look there. */
function evidenceReader({ digest }: PinnedImage, { store, signal }: JudgeParts): EvidenceReader {
  const known = new Map<string, Promise<ImageEvidence>>();
  return (repository) => {
    const key = formatRepository(repository);
    const reading = known.get(key) ?? readImageEvidence(store, { repository, digest }, { signal });
    known.set(key, reading);
    return reading;
  };
}

interface Session extends JudgeParts {
  readonly verifier: EvidenceVerifier;
  readonly evidenceAt: EvidenceReader;
}

async function judgeByPolicy(
  policy: CompiledClusterPolicy,
  asked: JudgedImage,
  session: Session,
): Promise<PolicyResult> {
  const { name, mode, evaluation, fault, authorities } = policy;
  const base = { policy: name, mode, evaluation };
  if (fault !== undefined) {
    const reason = { code: fault.code, message: `the policy itself is broken: ${fault.message}` };
    return { ...base, passed: false, authorities: [], reasons: [reason] };
  }
  const outcomes = await Promise.all(
    authorities.map((authority) => judgeOne(authority, policy, { asked, session })),
  );
  const results = outcomes.map(({ result }) => result);
  const isVouchedFor = results.some(({ passed }) => passed);
  const reasons = isVouchedFor ? await unmetAsWhole(policy, outcomes, { asked, session }) : [];
  return { ...base, passed: isVouchedFor && reasons.length === 0, authorities: results, reasons };
}

async function judgeOne(
  authority: CompiledAuthority,
  { evaluation }: CompiledClusterPolicy,
  { asked, session }: { readonly asked: JudgedImage; readonly session: Session },
): Promise<AuthorityOutcome> {
  const { digest, repository } = asked.pinned;
  const place = authority.kind === 'static' ? undefined : (authority.repository ?? repository);
  const evidence = place === undefined ? { pieces: [], obstacles: [] } : await session.evidenceAt(place);
  const { verifier, signal } = session;
  return judgeByAuthority(authority, { digest, evidence, verifier, mode: evaluation, signal });
}

async function unmetAsWhole(
  { whole, evaluation }: CompiledClusterPolicy,
  outcomes: readonly AuthorityOutcome[],
  { asked, session }: { readonly asked: JudgedImage; readonly session: Session },
): Promise<readonly CheckReason[]> {
  if (whole === undefined) return [];
  const document = wholeDocument(outcomes, asked.object, whole.includes);
  return evaluateDocument(whole.policy, document, { mode: evaluation, signal: session.signal });
}
