import { eventReasons } from '../../kube/events.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { ScanOutcome } from '../../telemetry/scan-metrics.ts';
import type { SubjectIdentity } from './running-pod.ts';
import { outcomeOf } from './scan-verdict.ts';
import type { PlacedFinding } from './scan-verdict.ts';

/** A verdict on a workload, beside the one before. */
export interface VerdictChange {
  readonly namespace: string;
  readonly subject: SubjectIdentity;
  /** Undefined where none is known. */
  readonly before: string | undefined;
  readonly now: ScanOutcome;
  readonly findings: readonly PlacedFinding[];
}

const reasons = {
  denied: eventReasons.runningImageDenied,
  warned: eventReasons.runningImageWarned,
  admitted: eventReasons.runningImageAdmitted,
  error: eventReasons.runningImageUnknown,
} as const;

/** Tells of a verdict that changed, by an Event on the workload; what was never otherwise than admitted is no news. */
export function tellChange(
  events: Pick<EventRecorder, 'record'>,
  { namespace, subject, before, now, findings }: VerdictChange,
): void {
  if (before === now || (before === undefined && now === 'admitted')) return;
  const { apiVersion, kind, name, uid } = subject;
  const told = findings.find((finding) => outcomeOf(finding) === now);
  events.record({
    about: { apiVersion, kind, metadata: { name, namespace, uid } },
    type: now === 'admitted' ? 'Normal' : 'Warning',
    reason: reasons[now],
    message: now === 'admitted' ? 'all images that run would be admitted now' : (told?.brief ?? ''),
  });
}
