import type { Log } from '../../model/log.ts';
import { noTracing } from '../../telemetry/tracing.ts';
import type { Tracing } from '../../telemetry/tracing.ts';
import type { Environment } from './cluster.ts';
import { packageVersion } from './version.ts';

/** Traces go where the standard `OTEL_*` variables say; without an endpoint nothing is traced, nor is OpenTelemetry loaded. */
export async function openTracing(
  environment: Environment,
  { log, closing }: { readonly log: Pick<Log, 'warn'>; readonly closing: AsyncDisposableStack },
): Promise<Tracing> {
  const { OTEL_SDK_DISABLED: disabled, OTEL_TRACES_EXPORTER: exporter = 'otlp' } = environment;
  const endpoint = valueOf(environment, 'ENDPOINT');
  if (endpoint === undefined || disabled?.toLowerCase() === 'true' || exporter === 'none') return noTracing;
  const protocol = valueOf(environment, 'PROTOCOL') ?? 'http/json';
  if (exporter !== 'otlp' || !protocol.startsWith('http/')) {
    log.warn('traces are sent by OTLP over HTTP alone, so none are sent', { exporter, protocol });
    return noTracing;
  }
  const { OtelTracing } = await import('../../telemetry/otel-tracing.ts');
  const parts = { serviceName: 'chainwright-controller', version: packageVersion(), environment, log };
  return closing.use(new OtelTracing(parts));
}

/** What holds for traces, or for all signals. */
function valueOf(environment: Environment, name: string): string | undefined {
  const given = [`OTEL_EXPORTER_OTLP_TRACES_${name}`, `OTEL_EXPORTER_OTLP_${name}`].map(
    (key) => environment[key],
  );
  return given.find((value) => value !== undefined && value !== '');
}
