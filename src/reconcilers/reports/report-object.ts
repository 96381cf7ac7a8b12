import { createHash } from 'node:crypto';
import type { KubeObjectDraft } from '../../kube/kube-object.ts';
import { apiVersionOf } from '../../kube/resource-type.ts';
import type { ResourceType } from '../../kube/resource-type.ts';
import type { SubjectIdentity } from '../scan/running-pod.ts';
import type { ReportResult } from './report-results.ts';

/** What a report says about one workload. */
export interface WorkloadReport {
  readonly namespace: string;
  readonly subject: SubjectIdentity;
  /** In a word, for whoever judges the workload next. */
  readonly verdict: string;
  readonly results: readonly ReportResult[];
}

/** Annotations of our reports. */
export const reportAnnotations = {
  /** Differs where a report says something else, its times left aside. */
  content: 'chainwright.dev/report-content',
  /** The worst verdict on the workload. */
  verdict: 'chainwright.dev/verdict',
  /** Results that were left out since there are too many. */
  leftOut: 'chainwright.dev/results-left-out',
} as const;

/** Labels of our reports: by these they are found. */
export const reportLabels = { 'app.kubernetes.io/managed-by': 'chainwright' } as const;

// A result takes at most some 5 KiB, and etcd takes 1.5 MiB an object.
const maxResults = 200;
const worstFirst = ['fail', 'error', 'warn', 'skip', 'pass'];

/** The name of a workload's report. */
export function reportNameOf({ uid }: Pick<SubjectIdentity, 'uid'>): string {
  return `chainwright-${uid}`;
}

/** A fingerprint of what a report says. */
export function contentOf({ subject, verdict, results }: WorkloadReport): string {
  const said = JSON.stringify([subject, verdict, ordered(results)]);
  return createHash('sha256').update(said).digest('hex').slice(0, 32);
}

/** The report as an object; it is deleted with its subject. */
export function reportDraft(type: ResourceType, report: WorkloadReport, at: Date): KubeObjectDraft {
  const { namespace, subject, verdict, results } = report;
  const told = ordered(results).slice(0, maxResults);
  const timestamp = { seconds: Math.floor(at.getTime() / 1000), nanos: (at.getTime() % 1000) * 1_000_000 };
  const leftOut = results.length - told.length;
  return {
    apiVersion: apiVersionOf(type),
    kind: type.kind,
    metadata: {
      name: reportNameOf(subject),
      namespace,
      labels: reportLabels,
      annotations: {
        [reportAnnotations.content]: contentOf(report),
        [reportAnnotations.verdict]: verdict,
        ...(leftOut === 0 ? {} : { [reportAnnotations.leftOut]: String(leftOut) }),
      },
      ownerReferences: [subject],
    },
    // What is common to all results stands here as well where the kind has a place for it.
    ...(type.group === 'openreports.io' ? { source: 'chainwright' } : {}),
    scope: { ...subject, namespace },
    summary: summaryOf(results),
    results: told.map((result) => ({ ...result, timestamp })),
  };
}

function summaryOf(results: readonly ReportResult[]): Readonly<Record<string, number>> {
  const count = (wanted: string): number => results.filter(({ result }) => result === wanted).length;
  return Object.fromEntries(
    ['pass', 'fail', 'warn', 'error', 'skip'].map((result) => [result, count(result)]),
  );
}

/** Worst first, so that what is left out is what matters least; else in a fixed order. */
function ordered(results: readonly ReportResult[]): readonly ReportResult[] {
  const rank = ({ result }: ReportResult): number => worstFirst.indexOf(result);
  const name = ({ policy, rule, properties }: ReportResult): string =>
    JSON.stringify([policy, rule, properties['image'], properties['judgedAs']]);
  return results.toSorted((a, b) => rank(a) - rank(b) || (name(a) < name(b) ? -1 : 1));
}
