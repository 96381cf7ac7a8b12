import type { EventRecorder } from '../kube/events.ts';
import { eventReasons } from '../kube/events.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import type { Log } from '../model/log.ts';
import { harmlessText } from '../policy/explanation.ts';
import type { AdmissionMetrics } from '../telemetry/admission-metrics.ts';
import { logDecision } from '../telemetry/decision-line.ts';
import type { AdmissionRequest } from './admission-review.ts';
import type { ImageVerdict, PolicyDecision } from './image-verdict.ts';
import { objectIn } from '../model/json-object.ts';
import type { JsonObject } from '../model/json-object.ts';

/** Where decisions go. */
export interface DecisionRecorderParts {
  readonly log: Log;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly metrics: Pick<AdmissionMetrics, 'decisionMade' | 'exceptionUsed'>;
}

/** Tells of decisions: a log line for each image, metrics by policy, an Event for what was denied or warned of. */
export class DecisionRecorder {
  readonly #parts: DecisionRecorderParts;

  constructor(parts: DecisionRecorderParts) {
    this.#parts = parts;
  }

  /** Takes what was decided on the images of one object. A dry run is logged, and leaves no other trace. */
  record(request: AdmissionRequest, verdicts: readonly ImageVerdict[], tookMs: number): void {
    for (const verdict of verdicts) {
      this.#log(request, verdict, tookMs);
      if (request.dryRun) continue;
      for (const { policy, outcome, reason } of verdict.decisions) {
        this.#parts.metrics.decisionMade({ policy, outcome, reason });
      }
      if (verdict.outcome !== 'admitted') this.#tell(request, verdict);
      if (verdict.outcome !== 'denied') this.#tellExceptions(request, verdict);
    }
  }

  /** Each use of an exception is told on the exception itself, besides what is told of the object. */
  #tellExceptions(request: AdmissionRequest, { image, digest, judgement }: ImageVerdict): void {
    const { events, metrics, log } = this.#parts;
    for (const { policy, exception } of judgement?.policies ?? []) {
      if (exception === undefined) continue;
      const { namespace, name, uid } = exception;
      const object = `${request.kind.kind} ${harmlessText(nameOf(request))}`;
      metrics.exceptionUsed(policy);
      log.warn('an exception was used', {
        ...{ namespace, exception: name, policy, image, digest, object, user: request.user },
        ...{ approvedBy: exception.approvedBy, expiresAt: exception.expiresAt, uid: request.uid },
      });
      events.record({
        about: {
          ...{ apiVersion: 'chainwright.dev/v1alpha1', kind: 'ImagePolicyException' },
          metadata: { name, namespace, uid },
        },
        type: 'Warning',
        reason: eventReasons.exceptionUsed,
        message: `${object}: ${harmlessText(image)} was let off ${policy}`,
      });
    }
  }

  #log(request: AdmissionRequest, verdict: ImageVerdict, tookMs: number): void {
    const { image, paths, digest, outcome, full, decisions } = verdict;
    const { namespace, kind, name, operation, user, dryRun, uid } = request;
    const decisive = decisions.find((decision) => decision.outcome === outcome) ?? decisions[0];
    const reason = decisive?.reason;
    logDecision(this.#parts.log, {
      decision: outcome,
      namespace,
      kind: kind.kind,
      name: presence(name),
      operation,
      image,
      path: paths.join(', '),
      digest,
      policy: presence(decisive?.policy),
      check: presence(decisive?.check),
      code: reason === 'passed' ? undefined : reason,
      user,
      uid,
      dryRun,
      durationMs: Number(tookMs.toFixed(1)),
      summary: harmlessText(`${outcome}: ${kind.kind} ${nameOf(request)}: ${image}${reasonOf(decisive)}`),
      explanation: full,
    });
  }

  #tell(request: AdmissionRequest, { outcome, brief }: ImageVerdict): void {
    const { kind } = request;
    this.#parts.events.record({
      about: subjectOf(request),
      type: 'Warning',
      reason: outcome === 'denied' ? eventReasons.imageDenied : eventReasons.imageWarned,
      message: `${kind.kind} ${harmlessText(nameOf(request))}: ${brief}`,
    });
  }
}

function presence(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

/** What decided, in a few words; the rest stands in the explanation. */
function reasonOf({ policy, check, reason }: Partial<PolicyDecision> = {}): string {
  const parts = [
    ...(policy === undefined || policy === '' ? [] : [`policy ${policy}`]),
    ...(check === undefined || check === '' ? [] : [`check ${check}`]),
    ...(reason === undefined || reason === 'passed' ? [] : [reason]),
  ];
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

/** The name, or the beginning of the one that the API server is going to make up. */
function nameOf({ name, object }: AdmissionRequest): string {
  const { generateName } = objectIn(object?.['metadata']);
  return name === '' && typeof generateName === 'string' ? `${generateName.slice(0, 253)}*` : name;
}

/** What an Event is about: the object where it exists, else its controller, else the namespace. */
function subjectOf({ operation, object, oldObject, namespace }: AdmissionRequest): KubeObject {
  const existing = operation === 'UPDATE' ? toSubject(oldObject, namespace) : undefined;
  return existing ?? ownerOf(object, namespace) ?? namespaceObject(namespace);
}

function namespaceObject(namespace: string): KubeObject {
  // An Event lies in the namespace of what it is about, so that those see it who work there.
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, namespace } };
}

function ownerOf(object: JsonObject | undefined, namespace: string): KubeObject | undefined {
  const owners = objectIn(object?.['metadata'])['ownerReferences'];
  const list = Array.isArray(owners) ? owners.map(objectIn) : [];
  const owner = list.find(({ controller }) => controller === true);
  return owner === undefined ? undefined : toSubject({ ...owner, metadata: owner }, namespace);
}

function toSubject(object: JsonObject | undefined, namespace: string): KubeObject | undefined {
  const { apiVersion, kind } = object ?? {};
  const { name, uid, resourceVersion } = objectIn(object?.['metadata']);
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || typeof name !== 'string')
    return undefined;
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace,
      ...(typeof uid === 'string' ? { uid } : {}),
      ...(typeof resourceVersion === 'string' ? { resourceVersion } : {}),
    },
  };
}
