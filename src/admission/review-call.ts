import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBounded } from '../model/bounded-body.ts';
import { isAppError, messageOf } from '../model/errors.ts';
import type { AppError } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import { withSignal } from '../registry/shared-wait.ts';
import type { AdmissionMetrics, ReviewKind, ReviewOutcome } from '../telemetry/admission-metrics.ts';
import { formatAdmissionReview, refuse, refuseByFault } from './admission-answer.ts';
import type { AdmissionAnswer } from './admission-answer.ts';
import { deadlineFault, toFault } from './admission-fault.ts';
import { admissionLimits, admissionTimes } from './admission-limits.ts';
import { parseAdmissionReview } from './admission-review.ts';
import type { AdmissionRequest } from './admission-review.ts';
import type { RequestGate } from './request-gate.ts';
import { reviewDeadlineMs } from './review-deadline.ts';

/** What answers reviews of one path. */
export interface ReviewRoute {
  readonly kind: ReviewKind;
  /** The answer; when `signal` aborts, its reason is a fault that tells of the deadline. What it throws becomes an answer. */
  readonly review: (
    request: AdmissionRequest,
    options: { readonly signal: AbortSignal },
  ) => Promise<AdmissionAnswer>;
}

/** What answering a call takes. */
export interface ReviewCallParts {
  readonly routes: ReadonlyMap<string, ReviewRoute>;
  readonly gate: RequestGate;
  readonly timeoutMs: number;
  /** True once the server is being stopped: callers are to open their next connection elsewhere. */
  readonly isDraining: () => boolean;
  readonly metrics: Pick<AdmissionMetrics, 'reviewTook'>;
  readonly log: Pick<Log, 'warn' | 'error' | 'debug'>;
}

interface Page {
  readonly status: 200 | 400 | 404 | 405 | 413 | 500 | 503;
  readonly contentType: string;
  readonly body: string;
}

/** Answers one HTTP call of the API server, whatever happens: nothing is thrown, and nothing stays unanswered. */
export async function answerCall(
  request: IncomingMessage,
  response: ServerResponse,
  parts: ReviewCallParts,
): Promise<void> {
  const page = await pageOf(request, response, parts).catch((error: unknown) => faultPage(error, parts));
  if (response.destroyed) return;
  response.writeHead(page.status, {
    'content-type': page.contentType,
    'content-length': Buffer.byteLength(page.body),
    ...(page.status === 405 ? { allow: 'POST' } : {}),
    // What is left of a body that was not read must not be taken for the next call.
    ...(request.complete && !parts.isDraining() ? {} : { connection: 'close' }),
  });
  response.end(page.body);
}

async function pageOf(
  request: IncomingMessage,
  response: ServerResponse,
  parts: ReviewCallParts,
): Promise<Page> {
  const startedMs = performance.now();
  const url = new URL(request.url ?? '/', 'https://webhook.invalid');
  const route = parts.routes.get(url.pathname);
  if (route === undefined) return textPage(404, `here are ${[...parts.routes.keys()].join(', ')}`);
  if (request.method !== 'POST') return textPage(405, 'only POST');
  const bytes = Number(request.headers['content-length'] ?? admissionLimits.reviewBytes);
  if (bytes > admissionLimits.reviewBytes)
    return textPage(413, `more than ${admissionLimits.reviewBytes} bytes`);
  using _memory = parts.gate.reserve(bytes);
  const asked = parseAdmissionReview(await readBody(request));
  const deadlineMs = reviewDeadlineMs(parts.timeoutMs, url.searchParams.get('timeout'));
  using patience = boundedPatience(response, deadlineMs - (performance.now() - startedMs), deadlineMs);
  const answer = await answerTo(asked, route, { ...parts, patience });
  parts.metrics.reviewTook(route.kind, outcomeOf(answer), (performance.now() - startedMs) / 1000);
  return { status: 200, contentType: 'application/json', body: formatAdmissionReview(asked.uid, answer) };
}

async function answerTo(
  asked: AdmissionRequest,
  route: ReviewRoute,
  { gate, log, patience }: ReviewCallParts & { readonly patience: Patience },
): Promise<AdmissionAnswer> {
  try {
    const review = gate.enter(patience.deadline, () => route.review(asked, { signal: patience.deadline }));
    return await withSignal(review, patience.end);
  } catch (error) {
    const fault = toFault(error);
    if (fault.code === 'ERR_ADMISSION_REVIEW') return refuse(400, fault.message);
    const level = fault.kind === 'bug' ? 'error' : 'warn';
    log[level]('a review failed', {
      ...{ kind: asked.kind.kind, namespace: asked.namespace, name: asked.name, uid: asked.uid },
      ...{ code: fault.code, error: fault.message },
      cause: fault.cause instanceof Error ? fault.cause.stack : undefined,
    });
    return refuseByFault(fault);
  }
}

/** How long a review may take. */
interface Patience extends Disposable {
  /** Aborts when the review should end, or nobody listens any more. */
  readonly deadline: AbortSignal;
  /** Aborts when a review that did not heed its deadline is answered without it. */
  readonly end: AbortSignal;
}

function boundedPatience(response: ServerResponse, leftMs: number, deadlineMs: number): Patience {
  const deadline = new AbortController();
  const end = new AbortController();
  // A fault is made only when it is needed: its stack costs more than the rest of most reviews.
  const onDeadline = (): void => {
    deadline.abort(deadlineFault(deadlineMs));
  };
  const timers = [
    setTimeout(onDeadline, leftMs),
    setTimeout(() => {
      end.abort(deadlineFault(deadlineMs));
    }, leftMs + admissionTimes.graceMs),
  ];
  response.once('close', onDeadline);
  return {
    deadline: deadline.signal,
    end: end.signal,
    [Symbol.dispose]: () => {
      response.off('close', onDeadline);
      timers.forEach(clearTimeout);
    },
  };
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  return readBounded(request, {
    maxBytes: admissionLimits.reviewBytes,
    code: 'ERR_ADMISSION_REVIEW_SIZE',
    object: 'the AdmissionReview',
  });
}

function outcomeOf({ allowed, refusal, warnings }: AdmissionAnswer): ReviewOutcome {
  if (allowed) return warnings.length === 0 ? 'admitted' : 'warned';
  return refusal !== undefined && refusal.code >= 500 ? 'failed' : 'denied';
}

/** For calls that hold no review to answer: the API server takes any status but 200 as a failure, and fails closed. */
function faultPage(error: unknown, { log }: ReviewCallParts): Page {
  const fault: AppError = toFault(error);
  log.debug('a call was refused', { code: fault.code, error: fault.message });
  const status = statuses.get(fault.code) ?? (isAppError(error) ? 503 : 500);
  return textPage(status, `${fault.code}: ${messageOf(fault)}`);
}

const statuses: ReadonlyMap<string, Page['status']> = new Map([
  ['ERR_ADMISSION_REVIEW', 400],
  ['ERR_ADMISSION_REVIEW_SIZE', 413],
]);

function textPage(status: Page['status'], text: string): Page {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${text}\n` };
}
