import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { OtelTracing } from '../../../src/telemetry/otel-tracing.ts';
import { SpanReceiver } from '../../support/span-receiver.ts';

const variable = 'OTEL_EXPORTER_OTLP_ENDPOINT';

describe('OtelTracing', () => {
  let receiver: SpanReceiver;
  let tracing: OtelTracing;

  beforeEach(async () => {
    receiver = new SpanReceiver();
    // The exporter reads it from the process itself.
    process.env[variable] = await receiver.listen();
    const log = { warn: () => undefined };
    tracing = new OtelTracing({ serviceName: 'test', version: '1', environment: {}, log });
  });
  afterEach(async () => {
    Reflect.deleteProperty(process.env, variable);
    await receiver[Symbol.asyncDispose]();
  });

  it('ends no run before a stage of it, were they parts of a millisecond apart', async () => {
    const since = new Date(Date.now() - 1000);
    for (let count = 0; count < 100; count += 1) {
      const run = { namespace: 'ns', name: 'run', uid: randomUUID(), since };
      await tracing.run(run, () => tracing.stage('mark', () => Promise.resolve()));
    }
    await tracing[Symbol.asyncDispose]();
    const stages = receiver.spans.filter(({ name }) => name === 'mark');
    expect(stages).to.have.lengthOf(100);
    for (const stage of stages) {
      const root = receiver.spans.find(({ spanId }) => spanId === stage.parentSpanId);
      expect(BigInt(stage.endTimeUnixNano) <= BigInt(root!.endTimeUnixNano)).to.equal(true);
      expect(BigInt(stage.startTimeUnixNano) <= BigInt(stage.endTimeUnixNano)).to.equal(true);
    }
  });
});
