import { expect } from 'chai';
import type { ServerResponse } from 'node:http';
import { isAppError } from '../../../src/model/errors.ts';
import type { AppError } from '../../../src/model/errors.ts';
import type { ClusterAccess } from '../../../src/kube/cluster-access.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import { openClusterAgent } from '../../../src/kube/kube-transport.ts';
import type { KubeTrace } from '../../../src/kube/kube-transport.ts';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { FakeApiServer, accessTo, sendJson, sendStatus, until } from './fake-api-server.ts';
import { VirtualClock } from './virtual-clock.ts';

const { taskRuns } = resourceTypes;
const ref = { namespace: 'team', name: 'build' };
const signal = new AbortController().signal;
const object = {
  apiVersion: 'tekton.dev/v1',
  kind: 'TaskRun',
  metadata: { name: 'build', namespace: 'team', uid: 'u1', resourceVersion: '7' },
};

describe('KubeClient', () => {
  let server: FakeApiServer;
  let client: KubeClient;
  let traces: KubeTrace[];

  beforeEach(async () => {
    server = await FakeApiServer.start();
    traces = [];
    client = connect(accessTo(server));
  });

  afterEach(async () => {
    await client[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  function connect(access: ClusterAccess): KubeClient {
    return new KubeClient({ access, clock: new VirtualClock(), onRequest: (trace) => traces.push(trace) });
  }

  function answer(status: number, body: unknown, headers: Record<string, string> = {}): void {
    server.override('other', (_request, response) => {
      sendJson(response, status, body, headers);
    });
  }

  async function faultOf(work: Promise<unknown>): Promise<AppError> {
    try {
      await work;
    } catch (error) {
      if (isAppError(error)) return error;
      throw error;
    }
    throw new Error('nothing was thrown');
  }

  it('gets an object, or its metadata alone', async () => {
    answer(200, object);
    answer(200, { ...object, kind: 'PartialObjectMetadata' });
    expect(await client.get(taskRuns, ref, { signal })).to.deep.equal(object);
    await client.get(taskRuns, ref, { signal, view: 'metadata' });
    expect(server.requests.map((request) => request.path)).to.deep.equal([
      '/apis/tekton.dev/v1/namespaces/team/taskruns/build',
      '/apis/tekton.dev/v1/namespaces/team/taskruns/build',
    ]);
    expect(server.requests.map((request) => request.headers.accept)).to.deep.equal([
      'application/json',
      'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
    ]);
  });

  it('lists the metadata alone of objects that may be large', async () => {
    server.override('list', (_request, response) => {
      sendJson(response, 200, { metadata: { resourceVersion: '1' }, items: [{ metadata: object.metadata }] });
    });
    const { items } = await client.list(taskRuns, { signal, view: 'metadata', labelSelector: 'a=b' });
    expect(items[0]?.metadata.name).to.equal('build');
    expect(server.requests[0]?.headers.accept).to.equal(
      'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
    );
  });

  it('sends writes with their method, content type, field manager and body', async () => {
    for (let index = 0; index < 5; index += 1) answer(200, object);
    const options = { signal, fieldManager: 'me' };
    await client.create(taskRuns, object, options);
    await client.replace(taskRuns, object, options);
    await client.mergePatch(taskRuns, ref, { metadata: { labels: { a: null } } }, options);
    await client.apply(taskRuns, object, { ...options, force: true });
    await client.delete(taskRuns, ref, { signal, uid: 'u1' });
    const seen = server.requests.map(({ method, path, query, headers }) => [
      `${method} ${path.replace('/apis/tekton.dev/v1/namespaces/team', '')}`,
      query.toString(),
      headers['content-type'],
    ]);
    expect(seen).to.deep.equal([
      ['POST /taskruns', 'fieldManager=me', 'application/json'],
      ['PUT /taskruns/build', 'fieldManager=me', 'application/json'],
      ['PATCH /taskruns/build', 'fieldManager=me', 'application/merge-patch+json'],
      ['PATCH /taskruns/build', 'fieldManager=me&force=true', 'application/apply-patch+yaml'],
      ['DELETE /taskruns/build', '', 'application/json'],
    ]);
    expect(server.requests[2]?.body).to.equal('{"metadata":{"labels":{"a":null}}}');
    expect(server.requests[4]?.body).to.include('"preconditions":{"uid":"u1"}');
  });

  it('uses core paths without a group, and the namespace only for namespaced kinds', async () => {
    answer(200, { ...object, kind: 'Secret' });
    await client.get(resourceTypes.secrets, { namespace: 'team', name: 'a' }, { signal });
    expect(server.requests[0]?.path).to.equal('/api/v1/namespaces/team/secrets/a');
  });

  for (const name of ['', '..', 'a/b', 'a%2fb']) {
    it(`refuses the name "${name}" with ERR_KUBE_INVALID before it asks`, async () => {
      const fault = await faultOf(client.get(taskRuns, { namespace: 'team', name }, { signal }));
      expect(fault.code).to.equal('ERR_KUBE_INVALID');
      expect(server.requests).to.deep.equal([]);
    });
  }

  const refusals = [
    [400, 'ERR_KUBE_INVALID', 'permanent'],
    [403, 'ERR_KUBE_FORBIDDEN', 'permanent'],
    [404, 'ERR_KUBE_NOT_FOUND', 'permanent'],
    [409, 'ERR_KUBE_CONFLICT', 'passing'],
    [410, 'ERR_KUBE_GONE', 'passing'],
    [422, 'ERR_KUBE_INVALID', 'permanent'],
    [429, 'ERR_KUBE_BUSY', 'passing'],
    [500, 'ERR_KUBE_BUSY', 'passing'],
    [503, 'ERR_KUBE_BUSY', 'passing'],
  ] as const;
  for (const [status, code, kind] of refusals) {
    it(`gives ${code} for ${status}`, async () => {
      server.override('other', (_request, response) => {
        sendStatus(response, status, 'Because');
      });
      const fault = await faultOf(client.get(taskRuns, ref, { signal }));
      expect([fault.code, fault.kind, fault.object]).to.deep.equal([code, kind, 'team/build']);
      expect(fault.message).to.include('Because it is');
    });
  }

  it('names verb and resource to grant in ERR_KUBE_FORBIDDEN', async () => {
    answer(403, {});
    const fault = await faultOf(client.apply(taskRuns, object, { signal, fieldManager: 'me', force: true }));
    expect(fault.remedy).to.include('"patch"').and.include('"taskruns.tekton.dev"');
  });

  it('gives the pause of Retry-After, or of the Status', async () => {
    answer(429, {}, { 'retry-after': '3' });
    answer(429, { details: { retryAfterSeconds: 4 } });
    expect((await faultOf(client.get(taskRuns, ref, { signal }))).retryAfterMs).to.equal(3000);
    expect((await faultOf(client.get(taskRuns, ref, { signal }))).retryAfterMs).to.equal(4000);
  });

  it('gives ERR_KUBE_GONE for a version from the future, as after a restored backup', async () => {
    answer(504, { details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } });
    expect((await faultOf(client.get(taskRuns, ref, { signal }))).code).to.equal('ERR_KUBE_GONE');
  });

  it('gives ERR_KUBE_UNREACHABLE when the connection breaks, before or within the answer', async () => {
    server.override('other', (_request, response) => {
      response.destroy();
    });
    server.override('other', (_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{');
      setTimeout(() => response.destroy(), 5);
    });
    for (let index = 0; index < 2; index += 1) {
      const fault = await faultOf(client.get(taskRuns, ref, { signal }));
      expect([fault.code, fault.kind]).to.deep.equal(['ERR_KUBE_UNREACHABLE', 'passing']);
    }
  });

  it('gives ERR_KUBE_ANSWER for what is no JSON, without quoting it', async () => {
    server.override('other', (_request, response: ServerResponse) => {
      response.end('s3cret');
    });
    const fault = await faultOf(client.get(taskRuns, ref, { signal }));
    expect(fault.code).to.equal('ERR_KUBE_ANSWER');
    expect(JSON.stringify([fault.message, fault.cause])).to.not.include('s3cret');
  });

  it('gives ERR_KUBE_ANSWER for an object whose metadata have no usable shape', async () => {
    for (const metadata of [{}, { name: 'a', labels: { b: 1 } }, { name: 'a', finalizers: 'x' }]) {
      answer(200, { ...object, metadata });
      expect((await faultOf(client.get(taskRuns, ref, { signal }))).code).to.equal('ERR_KUBE_ANSWER');
    }
  });

  it('gives ERR_KUBE_ANSWER_SIZE for an endless answer and breaks it off', async () => {
    server.override('other', (_request, response) => {
      const pour = (): void => {
        if (!response.destroyed && response.write(Buffer.alloc(1 << 20))) setImmediate(pour);
        else response.once('drain', pour);
      };
      pour();
    });
    expect((await faultOf(client.get(taskRuns, ref, { signal }))).code).to.equal('ERR_KUBE_ANSWER_SIZE');
  });

  it("throws the caller's own reason when it aborts", async () => {
    server.override('other', () => undefined);
    const stop = new AbortController();
    const call = client.get(taskRuns, ref, { signal: stop.signal });
    const reason = new Error('enough');
    setTimeout(() => {
      stop.abort(reason);
    }, 5);
    const thrown: unknown = await call.catch((error: unknown) => error);
    expect(thrown).to.equal(reason);
  });

  it('gathers the pages of a list', async () => {
    for (let index = 0; index < 150; index += 1) server.put(`run-${index}`);
    const { items, resourceVersion } = await client.list(taskRuns, { signal, labelSelector: 'a=b' });
    expect(items).to.have.length(150);
    expect(resourceVersion).to.equal('250');
    expect(server.requests.map((request) => request.query.get('labelSelector'))).to.deep.equal([
      'a=b',
      'a=b',
    ]);
  });

  it('refuses a list of more than 10,000 objects with ERR_KUBE_LIST_SIZE', async () => {
    const items = Array.from({ length: 2500 }, () => object);
    for (let index = 0; index < 5; index += 1) {
      server.override('list', (_request, response) => {
        sendJson(response, 200, { metadata: { resourceVersion: '1', continue: 'more' }, items });
      });
    }
    expect((await faultOf(client.list(taskRuns, { signal }))).code).to.equal('ERR_KUBE_LIST_SIZE');
  });

  it('gives a created subresource as it is', async () => {
    answer(201, { status: { token: 't' } });
    const draft = { subresource: 'token', body: { spec: {} } };
    const account = { namespace: 'team', name: 'builder' };
    const given = await client.createSubresource(resourceTypes.serviceAccounts, account, draft, { signal });
    expect(given).to.deep.equal({ status: { token: 't' } });
    expect(server.requests[0]?.path).to.equal('/api/v1/namespaces/team/serviceaccounts/builder/token');
  });

  it('keeps its connections for further requests', async () => {
    for (let index = 0; index < 30; index += 1) {
      answer(200, object);
      await client.get(taskRuns, ref, { signal });
    }
    // a connection may not be free yet in the very turn in which its answer was read
    expect(server.connections).to.be.at.most(2);
  });

  it('renews its credentials once after a 401 and sends again', async () => {
    let readings = 0;
    const base = accessTo(server);
    const access: ClusterAccess = {
      ...base,
      credentials: async (options) => {
        if (options.refused !== undefined) readings += 1;
        const { tls } = await base.credentials({ signal });
        return { tls, headers: { authorization: `Bearer token-${readings}` } };
      },
    };
    client = connect(access);
    server.override('other', (_request, response) => {
      sendStatus(response, 401, 'Unauthorized');
    });
    answer(200, object);
    await client.get(taskRuns, ref, { signal });
    const sent = server.requests.map((request) => request.headers.authorization);
    expect(sent).to.deep.equal(['Bearer token-0', 'Bearer token-1']);
    expect(traces.map((trace) => trace.status)).to.deep.equal([401, 200]);
  });

  it('gives ERR_KUBE_UNAUTHORIZED after a second 401', async () => {
    answer(401, {});
    answer(401, {});
    const fault = await faultOf(client.get(taskRuns, ref, { signal }));
    expect([fault.code, fault.kind]).to.deep.equal(['ERR_KUBE_UNAUTHORIZED', 'passing']);
    expect(server.requests).to.have.length(2);
  });

  it('opens a new dispatcher only when the TLS material is another', async () => {
    const base = accessTo(server);
    let tls = { servername: 'a' };
    const opened: string[] = [];
    client = new KubeClient({
      access: { ...base, credentials: () => Promise.resolve({ headers: {}, tls }) },
      clock: new VirtualClock(),
      openDispatcher: (access, material) => {
        opened.push(material.servername ?? '');
        return openClusterAgent(access, material);
      },
    });
    for (const next of [tls, tls, { servername: 'b' }]) {
      tls = next;
      answer(200, object);
      await client.get(taskRuns, ref, { signal });
    }
    expect(opened).to.deep.equal(['a', 'b']);
  });

  it('leaves a watch when its reader does', async () => {
    server.put('a');
    const events = client.watch(taskRuns, { signal, resourceVersion: '1', timeoutSeconds: 300 });
    for await (const event of events) {
      expect(event.type).to.equal('ADDED');
      break;
    }
    await until(() => server.watching === 0, 'the watch being closed');
  });

  it('reads events that arrive in pieces and several at once', async () => {
    const line = (type: string, name: string): string =>
      `${JSON.stringify({ type, object: { metadata: { name, resourceVersion: '9', labels: { t: 'ü' } } } })}\n`;
    const bytes = Buffer.from(line('ADDED', 'a') + line('MODIFIED', 'a') + line('DELETED', 'a'));
    server.override('watch', (_request, response) => {
      const split = bytes.indexOf('ü') + 1;
      response.write(bytes.subarray(0, split));
      setTimeout(() => response.end(bytes.subarray(split)), 5);
    });
    const seen: unknown[] = [];
    for await (const event of client.watch(taskRuns, { signal, resourceVersion: '1', timeoutSeconds: 300 })) {
      seen.push(event.type === 'BOOKMARK' ? event.type : [event.type, event.object.metadata.labels]);
    }
    expect(seen).to.deep.equal([
      ['ADDED', { t: 'ü' }],
      ['MODIFIED', { t: 'ü' }],
      ['DELETED', { t: 'ü' }],
    ]);
  });
});
