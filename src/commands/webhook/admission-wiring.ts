import { startAdmissionServer } from '../../admission/admission-server.ts';
import type { AdmissionServer } from '../../admission/admission-server.ts';
import { DecisionRecorder } from '../../admission/decision-recorder.ts';
import { ImageJudging } from '../../admission/image-judging.ts';
import type { ImageStores } from '../../admission/image-stores.ts';
import { MediaTypes } from '../../admission/media-types.ts';
import { validatePolicyObject } from '../../admission/policy-object-validation.ts';
import type { ReviewRoute } from '../../admission/review-call.ts';
import { pinTags } from '../../admission/tag-pinning.ts';
import { TagResolver } from '../../admission/tag-resolver.ts';
import { VerdictCache } from '../../admission/verdict-cache.ts';
import { validateWorkload } from '../../admission/workload-validation.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { Clock } from '../../model/clock.ts';
import { messageOf } from '../../model/errors.ts';
import type { Log } from '../../model/log.ts';
import type { ServingCertificate } from '../../model/serving-certificate.ts';
import type { PolicyEngine } from '../../policy/evaluation/policy-engine.ts';
import type { LogSearch } from '../../policy/log-search.ts';
import type { PolicyRegister } from '../../policy/policy-register.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import type { AdmissionMetrics } from '../../telemetry/admission-metrics.ts';

/** What answering reviews is made of. */
export interface AdmissionWiring {
  readonly settings: Settings;
  readonly register: PolicyRegister;
  readonly engine: PolicyEngine;
  readonly stores: ImageStores;
  readonly searchLog: LogSearch;
  readonly events: EventRecorder;
  readonly metrics: AdmissionMetrics;
  /** Our own namespace. */
  readonly namespace: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Starts the server of `/validate`, `/mutate` and `/validate-policy`. Throws as `startAdmissionServer`. */
export async function startAdmission(
  wiring: AdmissionWiring,
  certificate: ServingCertificate,
): Promise<AdmissionServer> {
  const { settings, metrics, log } = wiring;
  return startAdmissionServer({
    address: settings.webhook.address,
    certificate,
    routes: createRoutes(wiring),
    timeoutMs: settings.webhook.timeoutMs,
    metrics,
    log,
  });
}

function createRoutes(wiring: AdmissionWiring): ReadonlyMap<string, ReviewRoute> {
  const { settings, register, engine, stores, searchLog, events, metrics, namespace, clock, log } = wiring;
  const { resolveTags, unchangedImages, cache } = settings.webhook;
  const tags = new TagResolver({ clock, metrics });
  const verdicts = new VerdictCache({ ...cache, clock, metrics });
  const judging = new ImageJudging({
    ...{ stores, verdicts, tags, searchLog, clock, resolveTags },
    mediaTypes: new MediaTypes(),
  });
  const recorder = new DecisionRecorder({ log, events, metrics });
  const validation = { register, judging, recorder: afterwards(recorder, log), unchangedImages };
  const pinning = { register, stores, tags, resolveTags, log };
  const policies = { engine, namespace, clock };
  return new Map<string, ReviewRoute>([
    [
      '/validate',
      { kind: 'validate', review: (request, options) => validateWorkload(request, validation, options) },
    ],
    ['/mutate', { kind: 'mutate', review: (request, options) => pinTags(request, pinning, options) }],
    [
      '/validate-policy',
      { kind: 'policy', review: (request, options) => validatePolicyObject(request, policies, options) },
    ],
  ]);
}

/** The API server waits for the answer, not for the record of it, which must not end the process either. */
function afterwards(recorder: DecisionRecorder, log: Pick<Log, 'error'>): Pick<DecisionRecorder, 'record'> {
  return {
    record: (...decided) => {
      setImmediate(() => {
        try {
          recorder.record(...decided);
        } catch (error) {
          log.error('a decision was not recorded', { error: messageOf(error) });
        }
      });
    },
  };
}
