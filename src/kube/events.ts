import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import PQueue from 'p-queue';
import type { Clock } from '../model/clock.ts';
import { isAppError, messageOf } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import { fieldManagers } from './field-managers.ts';
import type { KubeClient, WriteOptions } from './kube-client.ts';
import type { KubeObject, KubeObjectDraft } from './kube-object.ts';
import { resourceTypes } from './resource-type.ts';

/** Reasons of our Events, in the manner of Kubernetes: what happened, in one word. */
export const eventReasons = {
  /** Everything wanted is signed, logged and stored. */
  signed: 'Signed',
  /** The run names no subject. */
  nothingToSign: 'NothingToSign',
  /** The run is left unsigned on purpose, by the settings or a SigningPolicy. */
  signingSkipped: 'SigningSkipped',
  /** A try failed for a passing reason and comes again. */
  signingDelayed: 'SigningDelayed',
  /** Something that only the run's author or an administrator can mend. */
  signingFailed: 'SigningFailed',
  /** A subject that the registry does not hold, or holds with another digest. */
  subjectInvalid: 'SubjectInvalid',
  /** A result or parameter that cannot be read. */
  resultInvalid: 'ResultInvalid',
  /** A mark `signed` that nothing supports was set by somebody else. */
  markNotBelieved: 'MarkNotBelieved',
  /** An object was kept out: an image of it is denied by a policy. */
  imageDenied: 'ImageDenied',
  /** An object was let in although a policy that only warns, or the rule for unmatched images, objects to an image. */
  imageWarned: 'ImageWarned',
  /** What runs already would not be let in now. */
  runningImageDenied: 'RunningImageDenied',
  /** What runs already would be let in with a warning now. */
  runningImageWarned: 'RunningImageWarned',
  /** What runs already would be let in now, and would not have been before. */
  runningImageAdmitted: 'RunningImageAdmitted',
  /** Nothing could be found out about what runs already. */
  runningImageUnknown: 'RunningImageUnknown',
  /** An exception lets images off a policy. */
  exceptionInForce: 'ExceptionInForce',
  /** An exception has ended. */
  exceptionExpired: 'ExceptionExpired',
  /** An exception that is not honoured. */
  exceptionInvalid: 'ExceptionInvalid',
  /** An object was let in by an exception. */
  exceptionUsed: 'ExceptionUsed',
  /** A policy is compiled and in force. */
  policyInForce: 'PolicyInForce',
  /** What a policy refers to cannot be had now; it stays in force as it was compiled last. */
  policyStale: 'PolicyStale',
  /** A policy cannot be judged by, so it denies what it is about. */
  policyBroken: 'PolicyBroken',
  /** A trust root is in use. */
  trustRootLoaded: 'TrustRootLoaded',
  /** A trust root cannot be fetched anew; the one fetched last stays in use. */
  trustRootStale: 'TrustRootStale',
  /** A trust root cannot be used, so policies that name it deny. */
  trustRootBroken: 'TrustRootBroken',
  /** Settings changed, and are in force. */
  settingsInForce: 'SettingsInForce',
  /** Settings changed and cannot be used; the ones before stay in force. */
  settingsBroken: 'SettingsBroken',
  /** A SigningPolicy is in force, all of it. */
  signingPolicyInForce: 'SigningPolicyInForce',
  /** A SigningPolicy asks for what it may not, contradicts another one, or cannot be read. */
  signingPolicyRefused: 'SigningPolicyRefused',
  /** A Secret did not hold a usable serving certificate, and was written anew. */
  certificateReplaced: 'CertificateReplaced',
  /** An alarm of a log monitor, see docs/monitor.md: somebody signed as us. */
  unexplainedEntry: 'UnexplainedEntry',
  /** The log does not go on from what it signed before. */
  logForked: 'LogForked',
  /** The log signed a smaller tree than before. */
  logShrank: 'LogShrank',
  /** An entry that the log signed for, or took from us, is not there. */
  entryMissing: 'EntryMissing',
  /** The log could not be read for long. */
  logUnreachable: 'LogUnreachable',
  /** The log has made-up certificates in our name. */
  forgedCertificate: 'ForgedCertificate',
  /** A log is followed. */
  logFollowed: 'LogFollowed',
  /** A LogMonitor cannot be followed as it is. */
  monitorBroken: 'MonitorBroken',
  /** The receiver of alarms does not take them. */
  alarmUndelivered: 'AlarmUndelivered',
} as const;

/** One of {@link eventReasons}. */
type EventReason = (typeof eventReasons)[keyof typeof eventReasons];

/** What to tell about an object. */
export interface EventNotice {
  readonly about: KubeObject;
  readonly type: 'Normal' | 'Warning';
  readonly reason: EventReason;
  /** At most 1,024 characters are kept. */
  readonly message: string;
  /** Every replica finds the same in the same version of the object: one of them writes. */
  readonly isShared?: boolean;
}

/** How the recorder is made. */
export interface EventRecorderOptions {
  readonly client: Pick<KubeClient, 'create' | 'mergePatch'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Shown by kubectl as `From`; `chainwright` if absent. */
  readonly component?: string;
}

/** What became of the notices so far, for metrics. */
export interface EventCounts {
  readonly written: number;
  /** Left out: too many about one object, or too many at once. */
  readonly dropped: number;
  readonly failed: number;
}

interface Written {
  readonly name: string;
  count: number;
}

interface Allowance {
  tokens: number;
  atMs: number;
}

const bounds = {
  /** Distinct notices remembered, to count a repeated one up instead of writing another. */
  remembered: 2048,
  /** Notices that may wait for the API server. */
  waiting: 500,
  /** Requests at a time. */
  concurrency: 2,
  /** Notices about one object at once, and the pace at which more are allowed: client-go's spam filter. */
  burst: 25,
  refillMs: 300_000,
  message: 1024,
} as const;

/**
 * Writes Kubernetes Events of the core group, which every kubectl shows in `describe`. Best effort: it never throws and
 * never waits; a repeated notice counts its Event up, and a flood is cut off.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #requests = new PQueue({ concurrency: bounds.concurrency });
  readonly #written = new LRUCache<string, Written>({ max: bounds.remembered });
  readonly #allowances = new LRUCache<string, Allowance>({ max: bounds.remembered });
  readonly #stop = new AbortController();
  #counts = { written: 0, dropped: 0, failed: 0 };

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Takes a notice; it is written soon, if at all. */
  record(notice: EventNotice): void {
    if (this.#stop.signal.aborted || this.#requests.size >= bounds.waiting || !this.#allows(notice.about)) {
      this.#counts.dropped += 1;
      return;
    }
    void this.#requests.add(() => this.#write(notice));
  }

  counts(): EventCounts {
    return { ...this.#counts };
  }

  /** Waits up to `deadlineMs` for what was taken, then drops the rest. */
  async close({ deadlineMs }: { readonly deadlineMs: number }): Promise<void> {
    const done = new AbortController();
    const sleep = this.#options.clock.sleep(deadlineMs, done.signal).catch(() => undefined);
    await Promise.race([this.#requests.onIdle(), sleep]);
    done.abort();
    this.#stop.abort();
    await this.#requests.onIdle();
  }

  // a bucket per object: `burst` notices, one more each `refillMs`
  #allows(about: KubeObject): boolean {
    const key = about.metadata.uid ?? `${about.metadata.namespace ?? ''}/${about.metadata.name}`;
    const nowMs = this.#options.clock.now().getTime();
    const known = this.#allowances.get(key) ?? { tokens: bounds.burst, atMs: nowMs };
    const tokens = Math.min(bounds.burst, known.tokens + (nowMs - known.atMs) / bounds.refillMs);
    this.#allowances.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs: nowMs });
    return tokens >= 1;
  }

  async #write(notice: EventNotice): Promise<void> {
    try {
      const key = identityOf(notice);
      const known = this.#written.get(key);
      if (known === undefined || !(await this.#countUp(notice, known))) {
        this.#written.set(key, await this.#create(notice, key));
      }
      this.#counts.written += 1;
    } catch (error) {
      this.#counts.failed += 1;
      this.#options.log.debug('an Event could not be written', {
        reason: notice.reason,
        code: isAppError(error) ? error.code : undefined,
        error: messageOf(error),
      });
    }
  }

  async #countUp(notice: EventNotice, known: Written): Promise<boolean> {
    const { client, clock } = this.#options;
    const ref = { namespace: namespaceOf(notice.about), name: known.name };
    const patch = { count: known.count + 1, lastTimestamp: clock.now().toISOString() };
    try {
      await client.mergePatch(resourceTypes.events, ref, patch, this.#writeOptions());
      known.count += 1;
      return true;
    } catch (error) {
      // Events live for an hour: the one to count up may be gone
      if (isAppError(error) && error.code === 'ERR_KUBE_NOT_FOUND') return false;
      throw error;
    }
  }

  async #create(notice: EventNotice, key: string): Promise<Written> {
    const { client, clock, component = 'chainwright' } = this.#options;
    const draft = draftOf(notice, key, { at: clock.now(), component });
    try {
      await client.create(resourceTypes.events, draft, this.#writeOptions());
    } catch (error) {
      const isTold = isAppError(error) && error.code === 'ERR_KUBE_CONFLICT';
      if (notice.isShared !== true || !isTold) throw error;
    }
    return { name: String(draft.metadata['name']), count: 1 };
  }

  #writeOptions(): WriteOptions {
    return { fieldManager: fieldManagers.own, view: 'metadata', signal: this.#stop.signal };
  }
}

function draftOf(
  { about, type, reason, message, isShared }: EventNotice,
  key: string,
  { at, component }: { readonly at: Date; readonly component: string },
): KubeObjectDraft {
  const time = at.toISOString();
  // What sets it apart from an earlier one that said the same.
  const turn = isShared === true ? hashOf([about.metadata.resourceVersion]) : at.getTime().toString(16);
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: {
      name: `${stemOf(about.metadata.name)}.${key.slice(0, 12)}${turn.slice(0, 12)}`,
      namespace: namespaceOf(about),
    },
    involvedObject: {
      apiVersion: about.apiVersion,
      kind: about.kind,
      name: about.metadata.name,
      namespace: about.metadata.namespace,
      uid: about.metadata.uid,
      resourceVersion: about.metadata.resourceVersion,
    },
    type,
    reason,
    message: message.slice(0, bounds.message),
    source: { component },
    reportingComponent: component,
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  };
}

// names are at most 253 characters of labels that end with a letter or digit
function stemOf(name: string): string {
  return name.slice(0, 200).replace(/[^a-z0-9]+$/, '');
}

// Events about cluster-scoped objects live in `default`
function namespaceOf(about: KubeObject): string {
  return about.metadata.namespace ?? 'default';
}

function identityOf({ about, type, reason, message }: EventNotice): string {
  return hashOf([about.metadata.uid ?? '', about.metadata.name, type, reason, message]);
}

function hashOf(parts: readonly (string | undefined)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
