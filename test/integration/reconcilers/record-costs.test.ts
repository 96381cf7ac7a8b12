import { createHash, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import PQueue from 'p-queue';
import { request } from 'undici';
import { ports } from '../../../hack/stack/addresses.ts';
import { openStack } from '../../../hack/stack/stack.ts';
import { openCluster } from '../../../src/commands/wiring/cluster.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import { KubeRecordStore } from '../../../src/kube/signing-records.ts';
import { digestOf } from '../../../src/model/digest.ts';
import type { RecordedArtifact, SigningRecord } from '../../../src/model/signing-record.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { isFullRun } from '../../support/full-run.ts';
import { KubeApi } from '../../support/kube-api.ts';
import { createNamespace, deleteNamespace } from '../../support/test-namespace.ts';

const count = isFullRun ? 1000 : 50;
const etcd = `http://127.0.0.1:${ports.etcd}`;
const { signal } = new AbortController();

/** What etcd's own gateway answers. */
async function askEtcd(path: string, body: object): Promise<Readonly<Record<string, unknown>>> {
  const answer = await request(`${etcd}${path}`, { method: 'POST', body: JSON.stringify(body) });
  return (await answer.body.json()) as Readonly<Record<string, unknown>>;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

async function storedBytes(namespace: string): Promise<readonly number[]> {
  const key = `/registry/chainwright.dev/signingrecords/${namespace}/`;
  // The gateway's own bound of an answer is some MiB.
  const { kvs } = (await askEtcd('/v3/kv/range', {
    key: base64(key),
    range_end: base64(`${key.slice(0, -1)}0`),
  })) as {
    readonly kvs?: readonly { readonly key: string; readonly value: string }[];
  };
  return (kvs ?? []).map(
    ({ key: name, value }) => Buffer.byteLength(name, 'base64') + Buffer.byteLength(value, 'base64'),
  );
}

async function databaseBytes(): Promise<number> {
  return Number((await askEtcd('/v3/maintenance/status', {}))['dbSizeInUse']);
}

/** A record of one image in both layouts, as the controller leaves it. */
function recordOf(namespace: string, uid: string): SigningRecord {
  const hex = (text: string): string => createHash('sha256').update(`${uid} ${text}`).digest('hex');
  const repository = 'harbor.golems.internal/golem-trust/example-service';
  const artifact = (
    kind: RecordedArtifact['kind'],
    layout: RecordedArtifact['layout'],
    index: number,
  ): RecordedArtifact => ({
    kind,
    layout,
    subject: `${repository}@sha256:${hex('image')}`,
    payloadDigest: digestOf(Buffer.from(`${uid} ${kind} ${layout}`)),
    keyFingerprints: [hex('key')],
    entry: {
      log: 'https://rekor.golems.internal',
      logIndex: 1_000_000 + index,
      logId: hex('log'),
      integratedTime: 1_790_000_000,
    },
    destinations: (layout === 'shared' ? (['tag', 'referrer'] as const) : [layout]).map((place) => ({
      layout: place,
      ref: `${repository}@sha256:${hex(`${kind} ${place}`)}`,
    })),
  });
  return {
    namespace,
    uid,
    run: { kind: 'TaskRun', name: `example-service-build-${uid.slice(0, 5)}` },
    phase: 'Complete',
    artifacts: [
      artifact('signature', 'tag', 0),
      artifact('signature', 'referrer', 1),
      artifact('provenance', 'shared', 2),
      artifact('sbom', 'shared', 3),
    ],
  };
}

describe('what SigningRecords cost', () => {
  let api: KubeApi;
  let client: KubeClient;
  let namespace: string;

  before(async () => {
    const { kubeconfig } = await openStack();
    api = await KubeApi.open(kubeconfig);
    const access = await openCluster({ KUBECONFIG: kubeconfig }, systemClock, { signal });
    client = new KubeClient({ access, clock: systemClock });
    namespace = await createNamespace(api, 'record-costs');
  });

  after(async () => {
    await api.delete(`/apis/chainwright.dev/v1alpha1/namespaces/${namespace}/signingrecords`);
    await deleteNamespace(api, namespace);
    await client[Symbol.asyncDispose]();
    await api[Symbol.asyncDispose]();
  });

  it(`is a few KiB each in etcd, measured with ${count}`, async function () {
    const records = new KubeRecordStore(client);
    const before = await databaseBytes();
    const queue = new PQueue({ concurrency: 8 });
    // Written when it is intended, and again when it is complete, as for any run.
    await queue.addAll(
      Array.from({ length: count }, () => async () => {
        const record = recordOf(namespace, randomUUID());
        const intended = await records.save({ ...record, phase: 'Intended' }, { signal });
        await records.save({ ...intended, phase: 'Complete' }, { signal });
      }),
    );
    const sizes = await storedBytes(namespace);
    const grown = (await databaseBytes()) - before;
    const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
    expect(sizes).to.have.length(count);
    expect(mean).to.be.within(1500, 6000);
    console.log(
      `      ${count} records: ${Math.round(mean)} bytes each in etcd, largest ${Math.max(...sizes)}; the database grew by ${Math.round(grown / count)} bytes a record, both versions counted`,
    );
  });
});
