import { isDeepStrictEqual } from 'node:util';
import { startAdmissionServer } from '../../admission/admission-server.ts';
import type { AdmissionServer } from '../../admission/admission-server.ts';
import { DecisionRecorder } from '../../admission/decision-recorder.ts';
import type { ImageStores } from '../../admission/image-stores.ts';
import { validatePolicyObject } from '../../admission/policy-object-validation.ts';
import type { ReviewRoute } from '../../admission/review-call.ts';
import { pinTags } from '../../admission/tag-pinning.ts';
import { validateWorkload } from '../../admission/workload-validation.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { Clock } from '../../model/clock.ts';
import { messageOf } from '../../model/errors.ts';
import type { Log } from '../../model/log.ts';
import type { ServingCertificate } from '../../model/serving-certificate.ts';
import type { PolicyEngine } from '../../policy/evaluation/policy-engine.ts';
import type { PolicyRegister } from '../../policy/policy-register.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import type { AdmissionMetrics } from '../../telemetry/admission-metrics.ts';
import type { LiveJudging } from './judging-wiring.ts';
import type { LiveSettings } from './live-settings.ts';

/** What answering reviews is made of. */
export interface AdmissionWiring {
  readonly live: LiveSettings;
  readonly register: PolicyRegister;
  readonly engine: PolicyEngine;
  readonly stores: ImageStores;
  readonly judging: LiveJudging;
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
  const { live, metrics, log } = wiring;
  const settings = live.current;
  return startAdmissionServer({
    address: settings.webhook.address,
    certificate,
    routes: liveRoutes(wiring),
    timeoutMs: settings.webhook.timeoutMs,
    metrics,
    log,
  });
}

/** Routes that go on by changed settings from the next review on, with nothing remembered of those before. */
function liveRoutes(wiring: AdmissionWiring): ReadonlyMap<string, ReviewRoute> {
  let settings = wiring.live.current;
  let routes = createRoutes(wiring, settings);
  wiring.live.onChange((changed) => {
    if (!isDeepStrictEqual(partsOf(changed), partsOf(settings))) routes = createRoutes(wiring, changed);
    settings = changed;
  });
  return new Map(
    [...routes].map(([path, route]): [string, ReviewRoute] => [
      path,
      { kind: route.kind, review: (...asked) => (routes.get(path) ?? route).review(...asked) },
    ]),
  );
}

/** What reviews depend on. */
function partsOf({ webhook, exceptions }: Settings): unknown {
  return [webhook, exceptions];
}

function createRoutes(wiring: AdmissionWiring, settings: Settings): ReadonlyMap<string, ReviewRoute> {
  const { register, engine, stores, events, metrics, namespace, clock, log } = wiring;
  const { resolveTags, unchangedImages } = settings.webhook;
  const { judging, tags } = wiring.judging.current;
  const recorder = new DecisionRecorder({ log, events, metrics });
  const validation = { register, judging, recorder: afterwards(recorder, log), unchangedImages };
  const pinning = { register, stores, tags, resolveTags, log };
  const policies = { engine, namespace, exceptions: settings.exceptions, clock };
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
