import type { EventRecorder } from '../kube/events.ts';
import { eventReasons } from '../kube/events.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import type { Log } from '../model/log.ts';
import { harmlessText } from '../policy/explanation.ts';
import type { AdmissionMetrics } from '../telemetry/admission-metrics.ts';
import { logDecision } from '../telemetry/decision-line.ts';
import type { AdmissionRequest, JsonObject } from './admission-review.ts';
import type { ImageVerdict } from './image-verdict.ts';

/** Where decisions go. */
export interface DecisionRecorderParts {
  readonly log: Log;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly metrics: Pick<AdmissionMetrics, 'decisionMade'>;
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
    }
  }

  #log(request: AdmissionRequest, verdict: ImageVerdict, tookMs: number): void {
    const { image, paths, digest, outcome, brief, full, decisions } = verdict;
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
      summary: `${outcome}: ${brief === '' ? image : brief}`,
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

/** The name, or the beginning of the one that the API server is going to make up. */
function nameOf({ name, object }: AdmissionRequest): string {
  const { generateName } = recordOf(object?.['metadata']);
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
  const owners = recordOf(object?.['metadata'])['ownerReferences'];
  const list = Array.isArray(owners) ? owners.map(recordOf) : [];
  const owner = list.find(({ controller }) => controller === true);
  return owner === undefined ? undefined : toSubject({ ...owner, metadata: owner }, namespace);
}

function toSubject(object: JsonObject | undefined, namespace: string): KubeObject | undefined {
  const { apiVersion, kind } = object ?? {};
  const { name, uid, resourceVersion } = recordOf(object?.['metadata']);
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

function recordOf(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}
