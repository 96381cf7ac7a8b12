import { formatRepository } from '../../model/image-reference.ts';
import type { PinnedImage } from '../../model/image-reference.ts';
import type { CompiledClusterPolicy } from '../../policy/compiled-policy.ts';
import { judgeImage } from '../../policy/image-judge.ts';
import type { AppliedException, ImageJudgement } from '../../policy/judgement.ts';
import { logSearchTimes, openLogSearch } from '../../policy/log-search.ts';
import { findException } from '../../policy/policy-exception.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import { logKeysOf } from '../../signing/trust-root.ts';
import type { Statement } from '../../statements/statement.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import { referencesOf } from '../policy/file-references.ts';
import { openImageStore } from '../policy/judging-session.ts';
import type { JudgingOptions } from '../policy/judging-session.ts';
import { openDispatchers } from '../policy/open-references.ts';
import { openPolicyCompiling } from '../policy/policy-compiling.ts';
import type { PolicySource } from '../policy/policy-sources.ts';
import { asPodImage } from '../policy/test-images.ts';
import type { Dispatchers } from '../wiring/dispatchers.ts';
import { pinImage } from '../wiring/user-images.ts';
import { askLogs } from './ask-log.ts';
import { summarizeBuild } from './build-summary.ts';
import { acceptedKey, explainEvidence } from './explain-evidence.ts';
import type { ExplainingParts, FoundPiece, NamedKey } from './explain-evidence.ts';
import { compilePolicies, findTrustRoots } from './explain-policies.ts';
import type { Attested, ImageExplanation } from './explanation-report.ts';
import { signerInWords } from './explanation-text.ts';
import { summarizeSbom } from './sbom-summary.ts';

/** What explaining an image takes. */
export type ExplainOptions = Pick<
  JudgingOptions,
  'settings' | 'environment' | 'trustedRoot' | 'store' | 'named' | 'signal' | 'closing'
> & {
  /** The policies to ask; absent: none. */
  readonly source: PolicySource | undefined;
  /** Whether the logs are asked. */
  readonly online: boolean;
};

const noFiles = { policies: [], trustRoots: [], workloads: [], secrets: [], configMaps: [] };

/** Finds out all there is to know of an image. Throws ERR_USAGE_IMAGE, ERR_POLICY_IMAGE_ABSENT, ERR_TRUST_ROOT, and passing faults. */
export async function explainImage(image: string, options: ExplainOptions): Promise<ImageExplanation> {
  const { source, signal, closing, online } = options;
  const store = await openImageStore(options);
  const pinned = await pinImage(image, store, signal);
  const compiling = { ...options, references: source?.references ?? referencesOf(noFiles) };
  const { compile, references } = openPolicyCompiling(compiling);
  const name = `${formatRepository(pinned.repository)}@${pinned.digest}`;
  const { workload } = asPodImage(image);
  const known = await compilePolicies(source, { name, workload }, compile);
  const { policies, authorities } = known;
  const dispatchers = closing.use(await openDispatchers(options));
  const judgement =
    source && (await judge({ image, pinned, policies, source }, { store, dispatchers, signal }));
  const { trustRoots, obstacles } = await findTrustRoots(references, authorities);
  const at = systemClock.now();
  const { pieces, ...found } = await explainEvidence(pinned, {
    ...{ store, trustRoots, at, signal },
    authorities: known.judging,
    keys: authorities
      .map(({ signer }) => signer)
      .filter((signer): signer is NamedKey => signer.kind === 'key'),
    accepted: acceptedIn(judgement),
  });
  const keys = trustRoots.flatMap((root) => logKeysOf(root));
  const evidence = online
    ? await Promise.all(pieces.map((piece) => askLogs(piece, { dispatchers, keys, signal })))
    : pieces.map(({ explained }) => explained);
  return {
    ...{ image, pinned: name, at: at.toISOString(), evidence },
    obstacles: [...known.obstacles, ...obstacles, ...found.obstacles],
    ...(judgement === undefined ? {} : { judgement }),
    exceptions: exceptionsFor(pinned, judgement, source),
    builds: attested(pieces, summarizeBuild),
    sboms: attested(pieces, summarizeSbom),
  };
}

interface Asked {
  readonly image: string;
  readonly pinned: PinnedImage;
  readonly policies: readonly CompiledClusterPolicy[];
  readonly source: PolicySource;
}

/** As a bare Pod's image; all evidence is looked at. */
async function judge(
  { image, pinned, policies, source }: Asked,
  parts: { readonly store: ImageStore; readonly dispatchers: Dispatchers; readonly signal: AbortSignal },
): Promise<ImageJudgement> {
  const { store, dispatchers, signal } = parts;
  const searchLog = openLogSearch({
    dispatcherFor: (host) => dispatchers.for(host),
    clock: systemClock,
    deadlineMs: logSearchTimes.commandMs,
  });
  const { noMatch } = source;
  const asked = { ...asPodImage(image), pinned };
  return judgeImage(asked, policies, {
    store,
    clock: systemClock,
    noMatch,
    searchLog,
    evidence: 'all',
    signal,
  });
}

/** In which namespaces the image would be let off a policy that it does not meet. */
function exceptionsFor(
  { repository, digest }: PinnedImage,
  judgement: ImageJudgement | undefined,
  source: PolicySource | undefined,
): readonly AppliedException[] {
  const image = `${formatRepository(repository)}@${digest}`;
  const failed = judgement?.policies.filter(({ passed }) => !passed) ?? [];
  const now = systemClock.now();
  return (source?.exceptions ?? []).flatMap((one) =>
    failed.flatMap(({ policy }) => findException([one], { policy, image, now }) ?? []),
  );
}

function acceptedIn(judgement: ImageJudgement | undefined): ExplainingParts['accepted'] {
  const checks =
    judgement?.policies.flatMap(({ authorities }) => authorities.flatMap((one) => one.checks)) ?? [];
  return new Set(checks.flatMap(({ evidence }) => evidence.map(acceptedKey)));
}

/** What verified statements say; both layouts hold the same one, which is told once, the accepted one before others. */
function attested<Value>(
  pieces: readonly FoundPiece[],
  summarize: (statement: Statement) => Value | undefined,
): readonly Attested<Value>[] {
  const all = pieces.flatMap(({ explained, statement }): readonly Attested<Value>[] => {
    const value = statement && summarize(statement);
    if (value === undefined || explained.standing === 'rejected') return [];
    const { ref, standing } = explained;
    return [{ ref, standing, signer: signerInWords(explained), value }];
  });
  const rank = ({ standing }: Attested<Value>): number => (standing === 'accepted' ? 0 : 1);
  const told = new Map<string, Attested<Value>>();
  for (const one of all.toSorted((a, b) => rank(a) - rank(b))) {
    const key = JSON.stringify([one.signer, one.value]);
    if (!told.has(key)) told.set(key, one);
  }
  return [...told.values()];
}
