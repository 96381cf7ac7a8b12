import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { pushImage } from '../support/images.ts';
import type { PushedImage } from '../support/images.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { SpanReceiver } from '../support/span-receiver.ts';
import type { ReceivedSpan } from '../support/span-receiver.ts';
import { createCompletedRun, imageResults, runPath, waitUntilSigned } from '../support/task-runs.ts';
import type { RunMarks } from '../support/task-runs.ts';
import { waitFor } from '../support/waiting.ts';

const name = 'traced';

describe('the trace of a run', () => {
  const parts = new AsyncDisposableStack();
  let scene: Scene;
  let namespace: string;
  let image: PushedImage;
  let marks: RunMarks;
  let uid: string;
  let logFile: string;
  let receiver: SpanReceiver;
  let root: ReceivedSpan;
  const spans = (): readonly ReceivedSpan[] =>
    receiver.spans.filter(({ traceId }) => traceId === root.traceId);
  const named = (stage: string): readonly ReceivedSpan[] => spans().filter((span) => span.name === stage);

  before(async () => {
    scene = parts.use(await openScene());
    receiver = parts.use(new SpanReceiver());
    namespace = await scene.namespace('traces');
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: await receiver.listen(),
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=stack',
    };
    const controller = await scene.controller([namespace], { env });
    logFile = controller.logFile;
    image = await pushImage(scene.registry, `${scene.stack.registry}/traces`);
    await createCompletedRun(scene.api, { namespace, name, results: imageResults(image) });
    marks = await waitUntilSigned(scene.api, { namespace, name }, 60_000);
    uid = (await scene.api.get(runPath(namespace, name))).metadata.uid ?? '';
    root = await waitFor(
      () =>
        Promise.resolve(
          receiver.spans.find(
            ({ name: span, attributes }) => span === 'run' && attributes['tekton.taskrun.name'] === name,
          ),
        ),
      { what: 'the span of the run', timeoutMs: 60_000 },
    );
  });

  after(async () => {
    await parts.disposeAsync();
  });

  it('is named by the UID of the run, and begins with its completion', async () => {
    expect(root.traceId).to.equal(uid.replaceAll('-', ''));
    expect(root.parentSpanId ?? '').to.equal('');
    expect(root.attributes).to.include({ 'k8s.namespace.name': namespace, 'tekton.taskrun.uid': uid });
    const { status } = (await scene.api.get(runPath(namespace, name))) as unknown as {
      status: { completionTime: string };
    };
    expect(Number(BigInt(root.startTimeUnixNano) / 1_000_000n)).to.equal(Date.parse(status.completionTime));
    expect(receiver.resource).to.include({
      'service.name': 'chainwright-controller',
      'deployment.environment.name': 'stack',
    });
    expect(new Set(receiver.requests)).to.deep.equal(new Set(['POST /v1/traces application/json']));
  });

  it('has each stage as a child, within its time', () => {
    const stages = ['subject-check', 'certificate', 'sign', 'record', 'log-append', 'push', 'mark'];
    for (const stage of stages) {
      expect(named(stage), stage).not.to.be.empty;
      for (const span of named(stage)) {
        expect(span.parentSpanId, stage).to.equal(root.spanId);
        expect(BigInt(span.endTimeUnixNano) <= BigInt(root.endTimeUnixNano), stage).to.equal(true);
      }
    }
    const checks = named('subject-check').map(({ spanId }) => spanId);
    for (const sbom of named('sbom')) expect(checks).to.include(sbom.parentSpanId);
  });

  it('names what was logged, and where in the log', () => {
    const entries = named('log-append').map(({ attributes }) => attributes['chainwright.log.index']);
    expect(entries).to.have.members(marks.logEntries.map(({ logIndex }) => logIndex));
    for (const { attributes } of named('log-append')) {
      expect(attributes['chainwright.artifact.subject']).to.include(image.digest);
      expect(attributes['chainwright.log.url']).to.equal(scene.stack.rekorUrl);
    }
  });

  it('is found by the log lines of the run', async () => {
    const lines = (await readFile(logFile, 'utf8')).split('\n').filter((line) => line.includes('"signed"'));
    expect(lines.map((line) => (JSON.parse(line) as { traceId?: string }).traceId)).to.include(root.traceId);
  });

  it('holds no token, key or signature', () => {
    const sent = receiver.bodies.join('\n');
    expect(sent).not.to.match(/eyJ[\w-]{10,}\.|BEGIN [A-Z ]+-----|[Bb]earer |password/);
  });
});
