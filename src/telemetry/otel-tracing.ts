import { AsyncLocalStorage } from 'node:async_hooks';
import { ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Context, Span, Tracer } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  RandomIdGenerator,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { IdGenerator, Sampler, SpanExporter } from '@opentelemetry/sdk-trace';
import { isAppError } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import type { TracedRun, Tracing } from './tracing.ts';

/** What tracing takes; the rest it reads from the standard `OTEL_*` variables of the process. */
export interface OtelTracingOptions {
  readonly serviceName: string;
  readonly version: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Pick<Log, 'warn'>;
}

// What cannot be delivered is dropped: spans must not take the memory of what they tell about.
const bounds = { maxQueueSize: 2048, maxExportBatchSize: 512, scheduledDelayMillis: 2000 } as const;
const closeMs = 3000;
const attributeLength = 1024;

/** Sends spans to an OTLP receiver over HTTP. The id of a run's trace is its UID, so that all replicas and passes meet in it. */
export class OtelTracing implements Tracing, AsyncDisposable {
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;
  readonly #ids = new RunTraceIds();
  readonly #here = new AsyncLocalStorage<Place>();

  constructor({ serviceName, version, environment, log }: OtelTracingOptions) {
    const exporter = tellingExporter(new OTLPTraceExporter(), log);
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': serviceName, 'service.version': version }).merge(
        detectResources({ detectors: [resourceAttributesEnvDetector, serviceNameEnvDetector] }),
      ),
      idGenerator: this.#ids,
      sampler: samplerOf(environment),
      spanLimits: { attributeValueLengthLimit: attributeLength },
      spanProcessors: [new BatchSpanProcessor({ exporter, ...bounds })],
    });
    this.#tracer = this.#provider.getTracer('chainwright', version);
  }

  readonly run: Tracing['run'] = (run, work) => {
    const { namespace, name, uid, since } = run;
    const attributes = {
      'k8s.namespace.name': namespace,
      'tekton.taskrun.name': name,
      'tekton.taskrun.uid': uid,
    };
    const span = this.#ids.within(run, () =>
      this.#tracer.startSpan('run', { startTime: since, attributes, root: true }, ROOT_CONTEXT),
    );
    return this.#measure(span, { context: ROOT_CONTEXT, now: steadyClock() }, work);
  };

  readonly stage: Tracing['stage'] = (stage, work) => {
    const parent = this.#here.getStore();
    if (parent === undefined) return work(() => undefined);
    const span = this.#tracer.startSpan(stage, { startTime: parent.now() }, parent.context);
    return this.#measure(span, parent, () =>
      work((notes) => {
        span.setAttributes(notes);
      }),
    );
  };

  traceIdOf(uid: string): string | undefined {
    return traceIdOf(uid);
  }

  /** Sends what waits, for a few seconds at most. */
  async [Symbol.asyncDispose](): Promise<void> {
    const over = AbortSignal.timeout(closeMs);
    const timeout = new Promise<void>((resolve) => {
      over.addEventListener('abort', () => {
        resolve();
      });
    });
    await Promise.race([this.#provider.shutdown().catch(() => undefined), timeout]);
  }

  async #measure<Result>(span: Span, { context, now }: Place, work: () => Promise<Result>): Promise<Result> {
    try {
      return await this.#here.run({ context: trace.setSpan(context, span), now }, work);
    } catch (error) {
      const code = isAppError(error) ? error.code : 'ERR_UNEXPECTED';
      span.setAttribute('error.type', code).setStatus({ code: SpanStatusCode.ERROR, message: code });
      throw error;
    } finally {
      span.end(now());
    }
  }
}

/** What is worked on, and the clock of its trace. */
interface Place {
  readonly context: Context;
  /** Milliseconds since the epoch, with fractions. */
  readonly now: () => number;
}

/** One for a whole trace: each span by a clock of its own would end before its children, by parts of a millisecond. */
function steadyClock(): Place['now'] {
  const offsetMs = Date.now() - performance.now();
  return () => offsetMs + performance.now();
}

/** Random ids, except that the trace of a run is named by the run. */
class RunTraceIds implements IdGenerator {
  readonly #random = new RandomIdGenerator();
  #next: string | undefined;

  /** Spans that begin within `work` and have no parent belong to the trace of `run`. */
  within<Result>({ uid }: Pick<TracedRun, 'uid'>, work: () => Result): Result {
    this.#next = traceIdOf(uid);
    try {
      return work();
    } finally {
      this.#next = undefined;
    }
  }

  generateTraceId(): string {
    return this.#next ?? this.#random.generateTraceId();
  }

  generateSpanId(): string {
    return this.#random.generateSpanId();
  }
}

/** A UID is 128 bits, as a trace id is. */
function traceIdOf(uid: string): string | undefined {
  const id = uid.toLowerCase().replaceAll('-', '');
  return /^(?!0{32})[\da-f]{32}$/.test(id) ? id : undefined;
}

function samplerOf(environment: OtelTracingOptions['environment']): Sampler {
  const name = (environment['OTEL_TRACES_SAMPLER'] ?? 'always_on').replace('parentbased_', '');
  if (name === 'always_off') return new AlwaysOffSampler();
  const share = Number(environment['OTEL_TRACES_SAMPLER_ARG'] ?? 1);
  return name === 'traceidratio' && share >= 0 && share <= 1
    ? new TraceIdRatioBasedSampler(share)
    : new AlwaysOnSampler();
}

/** Says so when spans do not arrive, once until some do. */
function tellingExporter(exporter: SpanExporter, log: Pick<Log, 'warn'>): SpanExporter {
  let isTold = false;
  return {
    export: (spans, done) => {
      exporter.export(spans, (result) => {
        const code: number = result.code;
        const hasFailed = code !== 0;
        if (hasFailed && !isTold)
          log.warn('spans do not reach their receiver', { error: result.error?.message });
        isTold = hasFailed;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  };
}
