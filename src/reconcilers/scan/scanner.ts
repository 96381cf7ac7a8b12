import type { EventRecorder } from '../../kube/events.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { LeaseBuckets } from '../../kube/leases/lease-buckets.ts';
import type { LeaseBucketsOptions } from '../../kube/leases/lease-buckets.ts';
import { WorkQueue } from '../../kube/work-queue.ts';
import type { WorkResult } from '../../kube/work-queue.ts';
import type { Clock } from '../../model/clock.ts';
import { isAppError, messageOf } from '../../model/errors.ts';
import type { Log } from '../../model/log.ts';
import type { ExceptionRegister } from '../../policy/exception-register.ts';
import type { PoliciesInForce, PolicyRegister } from '../../policy/policy-register.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import type { ScanMetrics, ScanState } from '../../telemetry/scan-metrics.ts';
import { ReportKinds } from '../reports/report-kinds.ts';
import { resultsOf } from '../reports/report-results.ts';
import { ReportWriter } from '../reports/report-writer.ts';
import { PodWatch } from './pod-watch.ts';
import type { RunningPod } from './running-pod.ts';
import { tellChange } from './scan-notices.ts';
import { ScanPace } from './scan-pace.ts';
import { ScanTally } from './scan-tally.ts';
import { outcomeOf, worstOf } from './scan-verdict.ts';
import type { JudgeRunning } from './scan-verdict.ts';
import { ScannedNamespaces } from './scanned-namespaces.ts';
import { StaleReports } from './stale-reports.ts';
import { findSubject } from './subject-finder.ts';
import { judgeWorkload } from './workload-judging.ts';
import type { ScanSubject } from './workload-index.ts';

/** What the scanner is made of. */
export interface ScannerParts {
  readonly client: KubeClientOfScanner;
  /** Our own namespace: where the Leases lie. */
  readonly namespace: string;
  readonly webhookName: string;
  /** Unique to this process. */
  readonly identity: string;
  readonly settings: Settings['scan'];
  readonly register: Pick<PolicyRegister, 'inForce' | 'onChange'>;
  readonly exceptions: Pick<ExceptionRegister, 'onChange'>;
  readonly judge: JudgeRunning;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly metrics: ScanMetrics;
  readonly clock: Clock;
  readonly log: Log;
  /** Numbers in [0, 1); `Math.random` if absent. */
  readonly random?: () => number;
}

type KubeClientOfScanner = LeaseBucketsOptions['client'] &
  Pick<KubeClient, 'listPages' | 'watch' | 'apply' | 'get' | 'delete'>;

const pauses = { baseMs: 2000, capMs: 120_000 };
/** What nothing could be found out about is asked again sooner than the rest. */
const unknownAgainMs = 60_000;
const notReadyMs = 1000;
/** What runs nothing may only be starting anew: its report is left so long. */
const emptyMs = 30_000;
const drainMs = 5000;
/** Policies that change together are waited for. */
const settleMs = 500;

/**
 * Judges again what already runs: when a policy or trust root changes, when a Pod comes, and when a verdict has aged. The
 * workloads are shared out among the replicas; the pace is bounded. It reports, and never ends a Pod.
 *
 *     const scanner = new Scanner({ client, register, judge, ... });
 *     await scanner.run({ signal });
 */
export class Scanner {
  readonly #parts: ScannerParts;
  readonly #pods: PodWatch;
  readonly #namespaces: ScannedNamespaces;
  readonly #leases: LeaseBuckets;
  readonly #queue: WorkQueue;
  readonly #kinds: ReportKinds;
  readonly #writer: ReportWriter;
  readonly #stale: StaleReports;
  readonly #tally = new ScanTally();
  readonly #pace: ScanPace;
  readonly #random: () => number;
  #settling: AbortController | undefined;
  #seen = '';

  constructor(parts: ScannerParts) {
    const { client, namespace, webhookName, identity, settings, metrics, clock, log } = parts;
    this.#parts = parts;
    this.#random = parts.random ?? Math.random;
    this.#pace = new ScanPace(settings.workloadsPerSecond, clock);
    this.#pods = new PodWatch({
      ...{ client, maxPods: settings.maxPods, clock, log },
      onChange: (subject, { isInitial }) => {
        if (this.#pods.index.podsOf(subject.key).length === 0) this.#offerEmpty(subject);
        else this.#offer(subject, isInitial ? 'backlog' : 'new');
      },
    });
    this.#namespaces = new ScannedNamespaces({
      ...{ client, scope: settings.namespaces, webhookName, clock, log },
      onChange: (changed) => {
        this.#scanAll((subject) => changed === undefined || subject.namespace === changed);
      },
    });
    this.#kinds = new ReportKinds({
      ...{ client, groups: settings.reports, namespace, clock, log },
      onInstalled: () => {
        this.#stale.lookAgain();
        this.#scanAll();
      },
    });
    this.#writer = new ReportWriter({ client, kinds: this.#kinds, metrics, clock });
    const turn = (signal: AbortSignal): Promise<void> => this.#pace.turn(signal);
    this.#stale = new StaleReports({ client, turn, kinds: this.#kinds, writer: this.#writer, clock, log });
    this.#leases = new LeaseBuckets({
      ...{ client, namespace, identity, clock, log },
      group: 'chainwright-scan',
      buckets: settings.buckets,
      onGained: ({ bucket }) => {
        this.#stale.lookAgain();
        this.#scanAll(({ key }) => this.#leases.bucketOf(key) === bucket);
      },
      onLost: () => {
        this.#dropForeign();
      },
    });
    this.#queue = this.#openQueue();
  }

  /** Scans until `signal` aborts, then waits for at most 5 s for what is in work. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { register, exceptions } = this.#parts;
    const followed = [this.#pods, this.#namespaces, this.#leases, this.#kinds, this.#stale];
    const endListening = register.onChange(() => {
      this.#settle(signal);
    });
    const endExcusing = exceptions.onChange((namespace) => {
      this.#scanAll((subject) => subject.namespace === namespace);
    });
    await Promise.all(followed.map((one) => one.run({ signal })));
    endListening();
    endExcusing();
    await this.#queue.close({ deadlineMs: drainMs });
  }

  #openQueue(): WorkQueue {
    const { settings, clock, log } = this.#parts;
    return new WorkQueue({
      ...{ clock, concurrency: settings.concurrency, ...pauses, random: this.#random },
      worker: (key, { signal }) => this.#scan(key, signal),
      onRoom: () => {
        this.#scanAll();
      },
      onFault: ({ key, error, failures, retryInMs }) => {
        const code = isAppError(error) ? error.code : undefined;
        const fields = { workload: key, code, error: messageOf(error), attempt: failures, retryInMs };
        log.warn('a workload could not be judged again', fields);
      },
    });
  }

  /** Waits a little for further changes, then has everything judged again. */
  #settle(signal: AbortSignal): void {
    const seen = versionsOf(this.#parts.register.inForce);
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.#settling?.abort();
    const settling = new AbortController();
    this.#settling = settling;
    this.#parts.clock.sleep(settleMs, AbortSignal.any([signal, settling.signal])).then(
      () => {
        this.#scanAll();
      },
      () => undefined,
    );
  }

  /** Has all workloads that `isMeant` says judged again. */
  #scanAll(isMeant: (subject: ScanSubject) => boolean = () => true): void {
    for (const subject of this.#pods.index.subjects()) {
      if (isMeant(subject)) this.#offer(subject, 'backlog');
    }
  }

  #offer({ key }: ScanSubject, priority: 'new' | 'backlog'): void {
    if (this.#leases.holds(key)) this.#queue.add(key, priority);
  }

  #offerEmpty({ key }: ScanSubject): void {
    if (this.#leases.holds(key)) this.#queue.addAfter(key, emptyMs);
  }

  #dropForeign(): void {
    for (const { key } of this.#pods.index.subjects()) {
      if (this.#leases.holds(key)) continue;
      this.#queue.forget(key);
      this.#tally.remove(key);
    }
  }

  async #scan(key: string, signal: AbortSignal): Promise<WorkResult> {
    const subject = this.#pods.index.find(key);
    if (subject === undefined || !this.#leases.holds(key)) {
      this.#tally.remove(key);
      return {};
    }
    await Promise.all([this.#namespaces.synced, this.#pace.turn(signal)]);
    const isEnforced = this.#namespaces.has(subject.namespace);
    const pods = this.#pods.index.podsOf(key);
    if (isEnforced && pods.length > 0) return this.#judge(subject, pods, signal);
    await (isEnforced
      ? this.#stale.removeOf(subject, signal)
      : this.#stale.removeIn(subject.namespace, signal));
    this.#tally.remove(key);
    this.#pods.index.forget(key);
    return {};
  }

  async #judge(subject: ScanSubject, pods: readonly RunningPod[], signal: AbortSignal): Promise<WorkResult> {
    const { client, register, judge, events, metrics, clock } = this.#parts;
    const { inForce } = register;
    if (inForce === undefined) return { requeueAfterMs: notReadyMs };
    const { key, namespace } = subject;
    const found = await findSubject(client, subject, signal);
    const workload = { namespace, pods, object: found.object, inForce };
    const { findings, ofPods } = await judgeWorkload(workload, { client, judge }, signal);
    const now = worstOf(findings.map(outcomeOf));
    const report = {
      ...{ namespace, subject: found.identity, verdict: now },
      results: findings.flatMap(resultsOf),
    };
    this.#stale.noteReport(subject);
    const written = await this.#writer.write(report, signal);
    const before = this.#tally.outcomeOf(key) ?? written;
    tellChange(events, { namespace, subject: found.identity, before, now, findings });
    this.#tally.put(key, { outcome: now, ofPods, at: clock.now() });
    metrics.workloadScanned(now);
    return { requeueAfterMs: this.#againMs(now === 'error') };
  }

  /** Drawn at random around the interval, so that workloads judged together do not stay together. */
  #againMs(isUnknown: boolean): number {
    const { intervalMs } = this.#parts.settings;
    const ms = isUnknown ? Math.min(intervalMs, unknownAgainMs) : intervalMs;
    return ms * (0.9 + 0.2 * this.#random());
  }

  /** For metrics. */
  state(): ScanState {
    return {
      pods: this.#tally.pods(),
      workloads: this.#tally.size,
      skippedPods: this.#pods.skipped,
      buckets: this.#leases.health().held.length,
      oldestVerdictSeconds: this.#tally.oldestSeconds(this.#parts.clock.now()),
    };
  }
}

/** Differs whenever a verdict could. */
function versionsOf(inForce: PoliciesInForce | undefined): string {
  const versions = inForce?.policies.map(({ compiled, version }) => [compiled.name, version]);
  return JSON.stringify([versions, inForce?.rules]);
}
