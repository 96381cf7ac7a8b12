import { expect } from 'chai';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubectl, openStack } from '../../../hack/stack/stack.ts';
import type { Stack } from '../../../hack/stack/stack.ts';
import { digestOf } from '../../../src/model/digest.ts';
import { isAppError } from '../../../src/model/errors.ts';
import type { AppError } from '../../../src/model/errors.ts';
import { silentLog } from '../../../src/model/log.ts';
import type { SigningRecord } from '../../../src/model/signing-record.ts';
import { EventRecorder, eventReasons } from '../../../src/kube/events.ts';
import { openInClusterAccess } from '../../../src/kube/in-cluster-access.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import { PullSecretSource } from '../../../src/kube/pull-secrets.ts';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { createServiceAccountTokenSource } from '../../../src/kube/service-account-token.ts';
import { KubeRecordStore } from '../../../src/kube/signing-records.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { waitFor } from '../../support/waiting.ts';
import { openTestCluster } from './cluster.ts';
import type { TestCluster } from './cluster.ts';

const signal = new AbortController().signal;
const write = { signal, fieldManager: 'chainwright-test' };
const account = 'builder';

describe('objects of a real API server', () => {
  const closing = new AsyncDisposableStack();
  let stack: Stack;
  let cluster: TestCluster;

  before(async () => {
    stack = await openStack();
    cluster = closing.use(await openTestCluster());
    const { namespace, client } = cluster;
    await client.create(
      resourceTypes.secrets,
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { namespace, name: 'robot' },
        type: 'kubernetes.io/dockerconfigjson',
        stringData: { '.dockerconfigjson': '{"auths":{"harbor.golems.internal":{}}}' },
      },
      write,
    );
    await client.create(
      resourceTypes.serviceAccounts,
      {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { namespace, name: account },
        imagePullSecrets: [{ name: 'robot' }, { name: 'gone' }],
      },
      write,
    );
  });
  after(() => closing.disposeAsync());

  async function faultOf(work: Promise<unknown>): Promise<AppError> {
    const thrown: unknown = await work.catch((error: unknown) => error);
    if (isAppError(thrown)) return thrown;
    throw new Error(`no AppError: ${String(thrown)}`);
  }

  function tokenFor(audience: string): Promise<string> {
    const { client, namespace } = cluster;
    const options = { client, namespace, serviceAccount: account, audience, clock: systemClock };
    return createServiceAccountTokenSource(options)({ signal });
  }

  it('reads the docker configs of a ServiceAccount in a request for it and one for each Secret', async () => {
    const source = new PullSecretSource({ client: cluster.client });
    const requests = await cluster.requestsOf(async () => {
      const found = await source.find({ namespace: cluster.namespace, serviceAccount: account }, { signal });
      expect(found.configs.map(({ secret, bytes }) => [secret, Buffer.from(bytes).toString()])).to.deep.equal(
        [[`${cluster.namespace}/robot`, '{"auths":{"harbor.golems.internal":{}}}']],
      );
      expect(found.problems).to.have.length(1);
      expect(found.problems[0]).to.include('gone');
    });
    expect(requests).to.deep.equal(['get serviceaccounts', 'get secrets', 'get secrets']);
  });

  it('gets a token for the audience sigstore that lives for ten minutes', async () => {
    const token = await tokenFor('sigstore');
    const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
    const claims = JSON.parse(payload) as { aud: string[]; sub: string; exp: number; iat: number };
    expect(claims.aud).to.deep.equal(['sigstore']);
    expect(claims.sub).to.equal(`system:serviceaccount:${cluster.namespace}:${account}`);
    expect(claims.exp - claims.iat).to.equal(600);
  });

  it('keeps a SigningRecord: one request to create, one to update, one to read; ERR_KUBE_CONFLICT for an old version', async () => {
    const store = new KubeRecordStore(cluster.client);
    const record: SigningRecord = {
      namespace: cluster.namespace,
      uid: '0b6e2d9a-0000-4000-8000-000000000001',
      run: { kind: 'TaskRun', name: 'build' },
      phase: 'Intended',
      artifacts: [
        {
          kind: 'signature',
          layout: 'tag',
          subject: `harbor.golems.internal/golem-trust/app@${digestOf('image')}`,
          payloadDigest: digestOf('payload'),
          keyFingerprints: ['a'.repeat(64)],
          destinations: [],
        },
      ],
    };
    const requests = await cluster.requestsOf(async () => {
      const created = await store.save(record, { signal });
      const updated = await store.save({ ...created, phase: 'Complete' }, { signal });
      expect(await store.find(record, { signal })).to.deep.equal(updated);
      const stale = await faultOf(store.save({ ...created, phase: 'Failed' }, { signal }));
      expect(stale.code).to.equal('ERR_KUBE_CONFLICT');
      expect((await faultOf(store.save(record, { signal }))).code).to.equal('ERR_KUBE_CONFLICT');
    });
    const kind = 'signingrecords.chainwright.dev';
    expect(requests.slice(0, 3)).to.deep.equal([`create ${kind}`, `update ${kind}`, `get ${kind}`]);
  });

  it('gives ERR_KUBE_INVALID for a record that the CRD refuses', async () => {
    const store = new KubeRecordStore(cluster.client);
    const bent = {
      namespace: cluster.namespace,
      uid: '0b6e2d9a-0000-4000-8000-000000000002',
      run: { kind: 'TaskRun', name: 'build' },
      phase: 'Unheard-of',
      artifacts: [],
    } as unknown as SigningRecord;
    expect((await faultOf(store.save(bent, { signal }))).code).to.equal('ERR_KUBE_INVALID');
  });

  it('writes Events that kubectl describe shows, a request each', async () => {
    const run = await cluster.createRun('described');
    const recorder = new EventRecorder({ client: cluster.client, clock: systemClock, log: silentLog });
    const notice = { about: run, type: 'Warning', reason: eventReasons.subjectInvalid } as const;
    const requests = await cluster.requestsOf(async () => {
      recorder.record({ ...notice, message: 'harbor does not hold it' });
      recorder.record({ ...notice, message: 'nor that' });
      await recorder.close({ deadlineMs: 60_000 });
    });
    expect(requests).to.deep.equal(['create events', 'create events']);
    const told = await kubectl(['describe', 'taskrun', 'described', '--namespace', cluster.namespace]);
    expect(told).to.match(/Warning\s+SubjectInvalid\s+\S+\s+chainwright\s+harbor does not hold it/);
  });

  it('counts a repeated Event up by one patch', async () => {
    const run = await cluster.createRun('counted');
    const recorder = new EventRecorder({ client: cluster.client, clock: systemClock, log: silentLog });
    const notice = { about: run, type: 'Normal', reason: eventReasons.signed, message: 'done' } as const;
    recorder.record(notice);
    // one request at a time, so that the second notice finds the first one written
    await waitFor(() => Promise.resolve(recorder.counts().written > 0 ? true : undefined), {
      what: 'the writing of the first Event',
      timeoutMs: 60_000,
      pollMs: 5,
    });
    recorder.record(notice);
    await recorder.close({ deadlineMs: 60_000 });
    expect(recorder.counts()).to.deep.equal({ written: 2, dropped: 0, failed: 0 });
    const { items } = await cluster.client.list(resourceTypes.events, {
      namespace: cluster.namespace,
      fieldSelector: 'involvedObject.name=counted',
      signal,
    });
    expect(items.map((event) => event['count'])).to.deep.equal([2]);
  });

  describe('as a Pod sees it', () => {
    let folder: string;

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'chainwright-pod-'));
      await writeFile(join(folder, 'ca.crt'), await readFile(stack.ca));
      await writeFile(join(folder, 'token'), await tokenFor(stack.issuer));
    });
    afterEach(() => rm(folder, { recursive: true }));

    async function openAsPod(): Promise<KubeClient> {
      const { hostname } = new URL(stack.issuer);
      const options = { host: hostname, port: '443', folder, clock: systemClock };
      return new KubeClient({ access: await openInClusterAccess(options, { signal }), clock: systemClock });
    }

    it('gives ERR_KUBE_FORBIDDEN with what to grant, for an account without rights', async () => {
      await using client = await openAsPod();
      const { namespace } = cluster;
      const fault = await faultOf(client.list(resourceTypes.taskRuns, { namespace, signal }));
      expect(fault.code).to.equal('ERR_KUBE_FORBIDDEN');
      expect(fault.remedy).to.include('"list"').and.include('"taskruns.tekton.dev"');
      expect(fault.message).to.include(`system:serviceaccount:${namespace}:${account}`);
    });

    it('goes on with the rotated token when the server refuses the old one', async () => {
      const good = await readFile(join(folder, 'token'), 'utf8');
      await writeFile(join(folder, 'token'), 'expired');
      await using client = await openAsPod();
      await writeFile(join(folder, 'token'), good);
      const { namespace } = cluster;
      const fault = await faultOf(client.list(resourceTypes.taskRuns, { namespace, signal }));
      expect(fault.code).to.equal('ERR_KUBE_FORBIDDEN');
    });

    it('gives ERR_KUBE_TLS for a server whose authority is another', async () => {
      const other = await readFile(join(import.meta.dirname, '../../../.stack/certs/fulcio.crt'));
      await writeFile(join(folder, 'ca.crt'), other);
      await using client = await openAsPod();
      const fault = await faultOf(client.list(resourceTypes.taskRuns, { signal }));
      expect([fault.code, fault.kind]).to.deep.equal(['ERR_KUBE_TLS', 'passing']);
    });
  });
});
