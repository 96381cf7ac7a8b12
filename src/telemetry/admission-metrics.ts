import { Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import { boundedLabel, counter, openRegistry, operationMetrics, readGauge } from './operation-metrics.ts';
import type { MetricsPage, OperationMetrics } from './operation-metrics.ts';
import { settingsMetrics } from './settings-metrics.ts';
import type { SettingsMetrics } from './settings-metrics.ts';
import { scanMetrics } from './scan-metrics.ts';
import type { ScanMetrics } from './scan-metrics.ts';

/** What became of an image at the door, by one policy. */
export type DecisionOutcome = 'admitted' | 'warned' | 'denied';
/** Which of the webhook's endpoints was asked: `policy` judges ClusterImagePolicies and TrustRoots themselves. */
export type ReviewKind = 'validate' | 'mutate' | 'policy';
/** How a review ended; `failed`: it could not be judged, and was refused for that. */
export type ReviewOutcome = DecisionOutcome | 'failed';
/** What is remembered between reviews. */
export type AdmissionCache = 'verdict' | 'evidence' | 'tag' | 'credentials';
/** `joined`: somebody else was fetching it already. */
export type CacheResult = 'hit' | 'miss' | 'joined';

/** What the webhook reports; every label comes from a closed or bounded set. */
export interface AdmissionMetrics {
  /**
   * One image judged by one policy. `policy` is empty where no policy is about the image; `reason` is the code of what
   * decided (docs/errors.md), `passed` if nothing was amiss. The first 200 policies and 200 codes keep their names, others
   * count as `other`.
   */
  decisionMade(decision: {
    readonly policy: string;
    readonly outcome: DecisionOutcome;
    readonly reason: string;
  }): void;
  /** An exception let an image off a policy; policies as in `decisionMade`. */
  exceptionUsed(policy: string): void;
  reviewTook(kind: ReviewKind, outcome: ReviewOutcome, seconds: number): void;
  cacheAsked(cache: AdmissionCache, result: CacheResult): void;
  /** `read` is called at each scrape and gives the number of policies, undefined until all are known. */
  policiesInForce(read: () => number | undefined): void;
  /** The serving certificate in use ends at this instant. */
  certificateExpires(at: Date): void;
}

// Admission is to take milliseconds where the verdict is known, and ends with the webhook's timeout of 30 s at most.
const reviewBuckets = [
  0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
const maxPolicies = 200;
const maxReasons = 200;

/** Metrics of the webhook on a registry of their own. All names are in docs/observability.md. */
export function createAdmissionMetrics(options: {
  readonly version: string;
}): AdmissionMetrics & ScanMetrics & OperationMetrics & SettingsMetrics & MetricsPage {
  const { registry, page } = openRegistry(options);
  return {
    ...operationMetrics(registry),
    ...settingsMetrics(registry),
    ...decisionMetrics(registry),
    ...cacheMetrics(registry),
    ...stateMetrics(registry),
    ...scanMetrics(registry),
    ...page,
  };
}

function decisionMetrics(
  registry: Registry,
): Pick<AdmissionMetrics, 'decisionMade' | 'exceptionUsed' | 'reviewTook'> {
  const decisions = counter(
    registry,
    'admission_decisions_total',
    'Images judged, by policy, outcome and what decided.',
    ['policy', 'outcome', 'reason'],
  );
  const exceptions = counter(
    registry,
    'admission_exceptions_total',
    'Images that an exception let off a policy.',
    ['policy'],
  );
  const reviews = new Histogram({
    name: 'chainwright_admission_review_duration_seconds',
    help: 'Duration of admission reviews within the webhook, by endpoint and outcome.',
    labelNames: ['kind', 'outcome'],
    buckets: reviewBuckets,
    registers: [registry],
  });
  const policyLabel = boundedLabel(maxPolicies, /^[a-z0-9.-]{0,253}$/);
  const reasonLabel = boundedLabel(maxReasons, /^[A-Z][\w-]{0,63}$/i);
  return {
    decisionMade: ({ policy, outcome, reason }) => {
      decisions.inc({ policy: policyLabel(policy), outcome, reason: reasonLabel(reason) });
    },
    exceptionUsed: (policy) => {
      exceptions.inc({ policy: policyLabel(policy) });
    },
    reviewTook: (kind, outcome, seconds) => {
      reviews.observe({ kind, outcome }, seconds);
    },
  };
}

function cacheMetrics(registry: Registry): Pick<AdmissionMetrics, 'cacheAsked'> {
  const asked = counter(
    registry,
    'admission_cache_requests_total',
    'Questions to what is remembered between reviews, by cache and result.',
    ['cache', 'result'],
  );
  return {
    cacheAsked: (cache, result) => {
      asked.inc({ cache, result });
    },
  };
}

function stateMetrics(registry: Registry): Pick<AdmissionMetrics, 'policiesInForce' | 'certificateExpires'> {
  const expiry = new Gauge({
    name: 'chainwright_admission_certificate_expiry_timestamp_seconds',
    help: 'When the serving certificate in use ends.',
    registers: [registry],
  });
  return {
    policiesInForce: (read) => {
      readGauge(
        registry,
        'admission_policies',
        'Policies in force; 0 until all of the cluster are known.',
        () => read() ?? 0,
      );
    },
    certificateExpires: (at) => {
      expiry.set(at.getTime() / 1000);
    },
  };
}
