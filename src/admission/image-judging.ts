import type { Clock } from '../model/clock.ts';
import { formatRepository } from '../model/image-reference.ts';
import type { ImageReference, PinnedImage } from '../model/image-reference.ts';
import type { ExceptionRegister } from '../policy/exception-register.ts';
import { excuse } from '../policy/excused-judgement.ts';
import { judgeImage, looksAtObject } from '../policy/image-judge.ts';
import type { JudgedImage, JudgeParts } from '../policy/image-judge.ts';
import type { ImageJudgement } from '../policy/judgement.ts';
import type { LogSearch } from '../policy/log-search.ts';
import { anyDigest, isInScope, mayBeInScope } from '../policy/policy-matching.ts';
import type { PoliciesInForce, RegisteredPolicy } from '../policy/policy-register.ts';
import { withSignal } from '../registry/shared-wait.ts';
import { CertificateMemory } from '../signing/certificate-memory.ts';
import { busyFault, toFault } from './admission-fault.ts';
import { admissionLimits, admissionTimes } from './admission-limits.ts';
import { BackgroundTurns } from './background-turns.ts';
import type { BackgroundPace } from './background-turns.ts';
import { accountKey } from './image-stores.ts';
import type { ImageStores, WorkloadAccount } from './image-stores.ts';
import { readImageText } from './image-text.ts';
import { faultVerdict, judgedVerdict, refusedVerdict } from './image-verdict.ts';
import type { ImageVerdict, PlacedImage } from './image-verdict.ts';
import type { MediaTypes } from './media-types.ts';
import { PolicyScopes } from './policy-scopes.ts';
import type { TagResolver } from './tag-resolver.ts';
import type { VerdictCache, VerdictKey } from './verdict-cache.ts';

/** What judging at the door is made of. */
export interface ImageJudgingParts {
  readonly stores: ImageStores;
  readonly verdicts: VerdictCache;
  readonly tags: TagResolver;
  readonly mediaTypes: MediaTypes;
  readonly resolveTags: boolean;
  /** What lets images off policies; absent: nothing does. */
  readonly exceptions?: Pick<ExceptionRegister, 'of'>;
  /** Asks the logs that policies name; absent: none is asked. */
  readonly searchLog?: LogSearch;
  readonly clock: Clock;
}

/** The object whose images are judged. */
export interface JudgingCase extends Pick<JudgedImage, 'workload' | 'object'> {
  readonly account: WorkloadAccount;
  readonly inForce: PoliciesInForce;
  /** Whether its images run as they stand here: of templates Pods are made, which come to the door themselves. */
  readonly isPod: boolean;
  /** Nobody waits for the verdict; absent: somebody does. */
  readonly background?: BackgroundPace;
  readonly signal: AbortSignal;
}

/** Judges images for the webhook: remembers results, outlives impatient callers, and turns faults into verdicts. */
export class ImageJudging {
  readonly #parts: ImageJudgingParts;
  readonly #certificates = new CertificateMemory();
  readonly #scopes = new PolicyScopes();
  readonly #turns: BackgroundTurns;
  #underWay = 0;

  constructor(parts: ImageJudgingParts) {
    this.#parts = parts;
    this.#turns = new BackgroundTurns(parts.verdicts);
  }

  /** The verdict on one image; never throws. */
  async judge(placed: PlacedImage, asked: JudgingCase): Promise<ImageVerdict> {
    const reference = readImageText(placed.image);
    if (reference === undefined) return unparsable(placed);
    try {
      if (reference.digest !== undefined) {
        return await this.#judgePinned(
          placed,
          { repository: reference.repository, digest: reference.digest },
          asked,
        );
      }
      return await this.#judgeTag(placed, reference, asked);
    } catch (error) {
      const fault = toFault(error);
      const notes = await this.#notesOn(fault.code, reference, asked);
      return faultVerdict(placed, fault, { notes, outcome: outcomeWithout(reference, asked) });
    }
  }

  async #judgePinned(placed: PlacedImage, pinned: PinnedImage, asked: JudgingCase): Promise<ImageVerdict> {
    asked.signal.throwIfAborted();
    await this.#awaitTurns(pinned, asked);
    return judgedVerdict(placed, await withSignal(this.#work(placed, pinned, asked), asked.signal));
  }

  /**
   * A tag may mean another image when it is pulled, so a Pod must not have one. A template's tag is judged by what it
   * means now: its Pods are pinned and judged when they are made.
   */
  async #judgeTag(placed: PlacedImage, reference: ImageReference, asked: JudgingCase): Promise<ImageVerdict> {
    const { inForce, workload, account, isPod, signal } = asked;
    const { repository } = reference;
    const mayMatch = inForce.policies.some(({ compiled }) => mayBeInScope(compiled, repository, workload));
    if (!mayMatch) return unmatchedTag(placed, inForce);
    const outcome = outcomeWithout(reference, asked);
    if (!this.#parts.resolveTags) {
      return notPinned(placed, 'Name the image by its digest: HOST/PATH@sha256:HEX.', outcome);
    }
    const store = this.#parts.stores.forWorkload(account);
    const digest = await this.#parts.tags.resolve(reference, { store, account: accountKey(account), signal });
    if (isPod) {
      const next = `Write ${placed.image}@${digest}, or let the mutating webhook do so: it has to be called for Pods.`;
      return notPinned(placed, next, outcome);
    }
    const verdict = await this.#judgePinned(placed, { repository, digest }, asked);
    return verdict.outcome === 'denied' ? verdict : { ...verdict, advice: adviceOn(placed) };
  }

  /** In the background evidence has its pace: what waits for it uses up no time for judging, and no place. */
  async #awaitTurns(pinned: PinnedImage, asked: JudgingCase): Promise<void> {
    const { background, inForce, workload, signal } = asked;
    if (background === undefined) return;
    const image = nameOf(pinned);
    const about = this.#scopes
      .about(image, inForce)
      .filter(({ compiled }) => isInScope(compiled, image, workload));
    const remembered = about.filter(({ compiled }) => !looksAtObject(compiled));
    const wanted = {
      remembered: remembered.map((policy) => keyOf(image, policy, asked)),
      others: about.length - remembered.length,
    };
    await this.#turns.take(wanted, background, signal);
  }

  /** Goes on until it is done or its own time is up, whoever has stopped waiting. */
  async #work(placed: PlacedImage, pinned: PinnedImage, asked: JudgingCase): Promise<ImageJudgement> {
    if (this.#underWay >= admissionLimits.judgements) throw busyFault('too many images are being judged');
    const stop = new AbortController();
    const timer = setTimeout(() => {
      stop.abort(new DOMException('the time for judging is up', 'TimeoutError'));
    }, admissionTimes.judgingMs);
    this.#underWay += 1;
    try {
      const { workload, object, inForce } = asked;
      const image = { image: placed.image, pinned, workload, object };
      const name = nameOf(pinned);
      const policies = this.#scopes.about(name, inForce);
      const compiled = policies.map((policy) => policy.compiled);
      const judgement = await judgeImage(
        image,
        compiled,
        this.#judgeParts(name, policies, asked, stop.signal),
      );
      const { exceptions, clock } = this.#parts;
      const excuses = exceptions?.of(asked.account.namespace) ?? [];
      return excuse(judgement, pinned, { exceptions: excuses, policies: compiled, now: clock.now() });
    } finally {
      this.#underWay -= 1;
      clearTimeout(timer);
    }
  }

  #judgeParts(
    image: string,
    policies: readonly RegisteredPolicy[],
    asked: JudgingCase,
    signal: AbortSignal,
  ): JudgeParts {
    const { stores, verdicts, mediaTypes, searchLog, clock } = this.#parts;
    const { account, inForce, background } = asked;
    const { namespace } = account;
    const store = stores.forWorkload(account);
    const versions = new Map(policies.map(({ compiled, version }) => [compiled, version]));
    return {
      store,
      clock,
      noMatch: inForce.rules.noMatch,
      certificates: this.#certificates,
      ...(searchLog === undefined ? {} : { searchLog }),
      evidence: 'enough',
      signal,
      storeFor: (pullSecrets) => stores.forSecrets(namespace, pullSecrets, { signal }),
      mediaTypeOf: (wanted) => mediaTypes.find(wanted, store, signal),
      recall: (policy, judge) => {
        const registered = { compiled: policy, version: versions.get(policy) ?? '' };
        return verdicts.recall(keyOf(image, registered, asked), judge, background?.maxAgeMs);
      },
    };
  }

  /** What helps to understand a fault: whose answer is missing, and which credentials could not be read. */
  async #notesOn(
    code: string,
    { repository }: ImageReference,
    { account, signal }: JudgingCase,
  ): Promise<readonly string[]> {
    if (code === 'ERR_ADMISSION_DEADLINE') return [`the image lies in ${repository.registry}`];
    if (code !== 'ERR_REGISTRY_DENIED') return [];
    return this.#parts.stores.problemsOf(account, { signal }).catch(() => []);
  }
}

function nameOf({ repository, digest }: PinnedImage): string {
  return `${formatRepository(repository)}@${digest}`;
}

function keyOf(
  image: string,
  { compiled, version }: RegisteredPolicy,
  { account }: Pick<JudgingCase, 'account'>,
): VerdictKey {
  return { image, policy: compiled, version, namespace: account.namespace, account: accountKey(account) };
}

function unparsable(placed: PlacedImage): ImageVerdict {
  return refusedVerdict(placed, {
    code: 'ERR_IMAGE_REFERENCE',
    message: 'could not parse reference',
    nextStep: 'Write the image as HOST/PATH:TAG or HOST/PATH@sha256:HEX.',
  });
}

function unmatchedTag(placed: PlacedImage, { rules }: PoliciesInForce): ImageVerdict {
  const reason = {
    code: 'ERR_POLICY_NO_MATCH',
    message: 'no matching policies',
    nextStep: 'Let an image glob of a ClusterImagePolicy match the image, or use an image that one matches.',
  };
  const outcomes = { allow: 'admitted', warn: 'warned', deny: 'denied' } as const;
  return refusedVerdict(placed, reason, outcomes[rules.noMatch]);
}

function notPinned(placed: PlacedImage, nextStep: string, outcome: 'warned' | 'denied'): ImageVerdict {
  return refusedVerdict(
    placed,
    { code: 'ERR_ADMISSION_TAG', message: 'must be an image digest', nextStep },
    outcome,
  );
}

/** What becomes of an image that could not be judged: denied, unless the policies about it would only warn. */
function outcomeWithout(
  { repository, digest }: ImageReference,
  { inForce, workload }: JudgingCase,
): 'warned' | 'denied' {
  const image = `${formatRepository(repository)}@${digest ?? anyDigest}`;
  const isEnforced = inForce.policies.some(
    ({ compiled }) => compiled.mode === 'enforce' && mayBeInScope(compiled, repository, workload),
  );
  const isWarnedOf = inForce.policies.some(
    ({ compiled }) => compiled.mode === 'warn' && isInScope(compiled, image, workload),
  );
  return isWarnedOf && !isEnforced ? 'warned' : 'denied';
}

function adviceOn({ image }: PlacedImage): string {
  return `${image} is a tag: each Pod gets the digest that it means when the Pod is made`;
}
