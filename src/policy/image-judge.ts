import type { Clock } from '../model/clock.ts';
import type { Digest } from '../model/digest.ts';
import { isAppError } from '../model/errors.ts';
import { formatRepository } from '../model/image-reference.ts';
import type { PinnedImage } from '../model/image-reference.ts';
import { isIndexMediaType } from '../model/oci.ts';
import type { ImageStore } from '../registry/image-store.ts';
import type { CertificateMemory } from '../signing/certificate-memory.ts';
import { judgeByAuthority } from './authority-judgement.ts';
import type { AuthorityOutcome } from './authority-judgement.ts';
import type { CompiledAuthority, CompiledClusterPolicy } from './compiled-policy.ts';
import { EvidenceFinder } from './evidence-finder.ts';
import { placeOf } from './evidence-place.ts';
import type { EvidencePlace } from './evidence-place.ts';
import { readImageConfigs } from './image-configs.ts';
import type { ImageConfigs } from './image-configs.ts';
import { EvidenceReader } from './image-evidence.ts';
import type { EvidenceSource, ImageEvidence } from './image-evidence.ts';
import type { LogSearch } from './log-search.ts';
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
  /**
   * The store as seen with the credentials in these Secrets of the object's namespace, where an authority names some;
   * absent: `store`. A permanent fault, such as a Secret that is not there, is told as a reason for missing evidence.
   */
  readonly storeFor?: (pullSecrets: readonly string[]) => Promise<ImageStore>;
  readonly clock: Clock;
  readonly noMatch: NoMatchPolicy;
  readonly signal: AbortSignal;
  /** The media type of an image, where it is known or can be had; absent: `store` is asked. */
  readonly mediaTypeOf?: (pinned: PinnedImage) => Promise<string | undefined>;
  /** What is known of signers' certificates already, whichever image they signed. */
  readonly certificates?: CertificateMemory;
  /** Asks a log that an authority names about evidence without a log entry; absent: such evidence has none. */
  readonly searchLog?: LogSearch;
  /** `enough`: evidence is looked at until a check passes, for a verdict sooner; absent: all of it, for a report. */
  readonly evidence?: 'all' | 'enough';
  /** Gives what is known of this image and policy already, or works it out; absent: everything is worked out. */
  readonly recall?: RecallResult;
}

/** Is asked about policies that look at nothing but the image; the rest depends on the object and is never remembered. */
export type RecallResult = (
  policy: CompiledClusterPolicy,
  judge: () => Promise<PolicyResult>,
) => Promise<PolicyResult>;

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
  const session = {
    ...parts,
    finder: new EvidenceFinder({ ...parts, digest: pinned.digest }),
  };
  const sourceAt = sourcesOf(pinned, parts);
  const configs = configReader(pinned, parts);
  const results = await Promise.all(
    matching.map((policy) => {
      const judge = (): Promise<PolicyResult> =>
        judgeByPolicy(policy, asked, { ...session, sourceAt, configs });
      return parts.recall === undefined || looksAtObject(policy) ? judge() : parts.recall(policy, judge);
    }),
  );
  const failed = results.filter(({ passed }) => !passed);
  const outcome = failed.some(({ mode }) => mode === 'enforce') ? 'denied' : 'warned';
  if (failed.length === 0) return { ...base, outcome: 'admitted', policies: results, reasons: [] };
  const nextStep = nextStepOf(failed, { isIndex: lacksEvidence(failed) && (await isIndex(pinned, parts)) });
  return { ...base, outcome, policies: results, reasons: [], nextStep };
}

/** True if a verdict depends on the object that an image stands in, not on the image alone. */
export function looksAtObject({ whole }: CompiledClusterPolicy): boolean {
  const { includeSpec, includeObjectMeta, includeTypeMeta } = whole?.includes ?? {};
  return [includeSpec, includeObjectMeta, includeTypeMeta].includes(true);
}

function lacksEvidence(failed: readonly PolicyResult[]): boolean {
  return failed.some(({ authorities }) =>
    authorities.some(({ checks }) => checks.some(({ outcome }) => outcome === 'missing')),
  );
}

async function isIndex(pinned: PinnedImage, { store, signal, mediaTypeOf }: JudgeParts): Promise<boolean> {
  const { repository, digest } = pinned;
  const mediaType =
    mediaTypeOf === undefined
      ? (await store.headManifest(repository, digest, { signal }))?.mediaType
      : await mediaTypeOf(pinned);
  return mediaType !== undefined && isIndexMediaType(mediaType);
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

type SourceOf = (place: EvidencePlace) => Promise<EvidenceSource>;

/** Each place has one source, which reads it once, however many authorities look there. */
function sourcesOf({ digest }: PinnedImage, parts: JudgeParts): SourceOf {
  const known = new Map<string, Promise<EvidenceSource>>();
  return (place) => {
    const { repository, tagPrefix, pullSecrets } = place;
    const key = JSON.stringify([formatRepository(repository), tagPrefix, pullSecrets]);
    const opening = known.get(key) ?? openPlace(place, digest, parts);
    known.set(key, opening);
    return opening;
  };
}

function configReader(pinned: PinnedImage, { store, signal }: JudgeParts): Session['configs'] {
  let reading: Promise<ImageConfigs> | undefined;
  return () => (reading ??= readImageConfigs(store, pinned, { signal }));
}

async function openPlace(
  { repository, tagPrefix = '', pullSecrets }: EvidencePlace,
  digest: Digest,
  { store, storeFor, signal }: JudgeParts,
): Promise<EvidenceSource> {
  const target = { repository, digest };
  if (pullSecrets === undefined || storeFor === undefined) {
    return new EvidenceReader(store, target, { signal, tagPrefix });
  }
  try {
    return new EvidenceReader(await storeFor(pullSecrets), target, { signal, tagPrefix });
  } catch (error) {
    if (!isAppError(error) || error.kind !== 'permanent') throw error;
    const nothing = { pieces: [], obstacles: [`signaturePullSecrets: ${error.message}`] };
    return { read: () => Promise.resolve(nothing) };
  }
}

const nowhere: ImageEvidence = { pieces: [], obstacles: [] };

interface Session extends JudgeParts {
  readonly finder: EvidenceFinder;
  readonly sourceAt: SourceOf;
  /** Fetched once, however many policies look at them. */
  readonly configs: () => Promise<ImageConfigs>;
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
  { evaluation, whole }: CompiledClusterPolicy,
  { asked, session }: { readonly asked: JudgedImage; readonly session: Session },
): Promise<AuthorityOutcome> {
  const { digest, repository } = asked.pinned;
  const source =
    authority.kind === 'static'
      ? { read: () => Promise.resolve(nowhere) }
      : await session.sourceAt(placeOf(authority, repository));
  const { finder, signal, evidence } = session;
  // A policy over all authorities judges all that vouches.
  const thorough = evidence !== 'enough' || whole !== undefined;
  return judgeByAuthority(authority, { digest, source, thorough, finder, mode: evaluation, signal });
}

async function unmetAsWhole(
  { whole, evaluation }: CompiledClusterPolicy,
  outcomes: readonly AuthorityOutcome[],
  { asked, session }: { readonly asked: JudgedImage; readonly session: Session },
): Promise<readonly CheckReason[]> {
  if (whole === undefined) return [];
  const { policy, includes } = whole;
  try {
    const config = includes.fetchConfigFile === true ? await session.configs() : undefined;
    const document = wholeDocument(outcomes, { object: asked.object, config }, includes);
    return await evaluateDocument(policy, document, { mode: evaluation, signal: session.signal });
  } catch (error) {
    if (!isAppError(error) || error.kind !== 'permanent') throw error;
    return [{ code: error.code, message: error.message }];
  }
}
