import { expect } from 'chai';
import { openTracing } from '../../../../src/commands/wiring/tracing.ts';
import { noTracing } from '../../../../src/telemetry/tracing.ts';

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' };

describe('where traces go', () => {
  let warnings: string[];
  const open = async (environment: Record<string, string>, isOn: boolean): Promise<void> => {
    warnings = [];
    await using closing = new AsyncDisposableStack();
    const log = { warn: (message: string) => void warnings.push(message) };
    const tracing = await openTracing(environment, { log, closing });
    expect(tracing !== noTracing, JSON.stringify(environment)).to.equal(isOn);
  };

  it('is nowhere without an endpoint, and where they are switched off', async () => {
    await open({}, false);
    await open({ OTEL_EXPORTER_OTLP_ENDPOINT: '' }, false);
    await open({ ...endpoint, OTEL_SDK_DISABLED: 'true' }, false);
    await open({ ...endpoint, OTEL_TRACES_EXPORTER: 'none' }, false);
    expect(warnings).to.deep.equal([]);
  });

  it('is a receiver that speaks OTLP over HTTP', async () => {
    await open(endpoint, true);
    await open({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:9/v1/traces' }, true);
    await open({ ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' }, true);
  });

  it('is told in words where it cannot be had', async () => {
    await open({ ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, false);
    expect(warnings).to.have.length(1);
  });
});
