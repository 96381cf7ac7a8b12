import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { ClusterAccess } from '../../../src/kube/cluster-access.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';

/** A request as the fake saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Answers one request; the connection is the response's socket. */
export type Answer = (request: SeenRequest, response: ServerResponse) => void;

interface Event {
  readonly version: number;
  readonly type: string;
  readonly object: unknown;
}

/** Which requests an override is for. */
export type RequestKind = 'list' | 'watch' | 'other';

/** An API server on loopback that keeps objects of one kind: lists with pages, watches with history, and mishaps on order. */
export class FakeApiServer implements AsyncDisposable {
  readonly requests: SeenRequest[] = [];
  /** Connections that were ever opened. */
  connections = 0;
  /** How a watch from a compacted version is refused. */
  goneAs: 'status' | 'event' = 'status';
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #objects = new Map<string, KubeObject>();
  readonly #watches = new Set<ServerResponse>();
  readonly #overrides: { kind: RequestKind; answer: Answer }[] = [];
  #history: Event[] = [];
  #version = 100;
  #compactedAt = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<FakeApiServer> {
    const server = createServer();
    const fake = new FakeApiServer(server);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void fake.#serve(request, response);
    });
    server.on('connection', (socket: Socket) => {
      fake.connections += 1;
      fake.#sockets.add(socket);
      socket.on('close', () => fake.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Watches that are open now. */
  get watching(): number {
    return this.#watches.size;
  }

  countOf(kind: RequestKind): number {
    return this.requests.filter((request) => kindOf(request) === kind).length;
  }

  /** The next request of that kind gets this answer instead. */
  override(kind: RequestKind, answer: Answer): void {
    this.#overrides.push({ kind, answer });
  }

  put(name: string, fields: Record<string, unknown> = {}, uid = `uid-${name}`): void {
    const isNew = !this.#objects.has(name);
    this.#version += 1;
    const object = {
      apiVersion: 'tekton.dev/v1',
      kind: 'TaskRun',
      metadata: { name, namespace: 'team', uid, resourceVersion: String(this.#version) },
      ...fields,
    };
    this.#objects.set(name, object);
    this.#record(isNew ? 'ADDED' : 'MODIFIED', object);
  }

  remove(name: string): void {
    const object = this.#objects.get(name);
    if (object === undefined) return;
    this.#version += 1;
    this.#objects.delete(name);
    const metadata = { ...object.metadata, resourceVersion: String(this.#version) };
    this.#record('DELETED', { ...object, metadata });
  }

  /** Forgets all history: watches from before are refused from now on. */
  compact(): void {
    this.#version += 1;
    this.#compactedAt = this.#version;
    this.#history = [];
  }

  bookmark(): void {
    this.#version += 1;
    const metadata = { name: '', resourceVersion: String(this.#version) };
    this.send(`${JSON.stringify({ type: 'BOOKMARK', object: { kind: 'TaskRun', metadata } })}\n`);
  }

  /** Writes to all open watches as it is. */
  send(text: string): void {
    for (const watch of this.#watches) watch.write(text);
  }

  /** Ends all watches as the server does after their time. */
  endWatches(): void {
    for (const watch of this.#watches) watch.end();
    this.#watches.clear();
  }

  /** Breaks all connections. */
  cutConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#watches.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cutConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(message.url ?? '', 'http://fake');
    const request = {
      method: message.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: message.headers,
      body: await readAll(message),
    };
    this.requests.push(request);
    const kind = kindOf(request);
    const found = this.#overrides.findIndex((entry) => entry.kind === kind);
    if (found !== -1) this.#overrides.splice(found, 1)[0]?.answer(request, response);
    else if (kind === 'watch') this.#watch(request, response);
    else if (kind === 'list') this.#list(request, response);
    else sendStatus(response, 404, 'NotFound');
  }

  #list(request: SeenRequest, response: ServerResponse): void {
    const all = [...this.#objects.values()];
    const start = Number(request.query.get('continue') ?? '0');
    const end = start + Number(request.query.get('limit') ?? '500');
    const rest = end < all.length ? { continue: String(end) } : {};
    sendJson(response, 200, {
      metadata: { resourceVersion: String(this.#version), ...rest },
      items: all.slice(start, end),
    });
  }

  #watch(request: SeenRequest, response: ServerResponse): void {
    const from = Number(request.query.get('resourceVersion'));
    if (from < this.#compactedAt && this.goneAs === 'status') {
      sendStatus(response, 410, 'Expired');
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (from < this.#compactedAt) {
      const status = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' };
      response.end(`${JSON.stringify({ type: 'ERROR', object: status })}\n`);
      return;
    }
    this.#watches.add(response);
    response.on('close', () => this.#watches.delete(response));
    for (const event of this.#history) {
      if (event.version > from) response.write(lineOf(event));
    }
  }

  #record(type: string, object: unknown): void {
    const event = { version: this.#version, type, object };
    this.#history.push(event);
    this.send(lineOf(event));
  }
}

/** A Status object with that code, as the API server refuses. */
export function sendStatus(
  response: ServerResponse,
  code: number,
  reason: string,
  headers: Record<string, string> = {},
): void {
  sendJson(response, code, { kind: 'Status', code, reason, message: `${reason} it is` }, headers);
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

/** Access to the fake without credentials, or with a token that `token` gives at each reading. */
export function accessTo(server: FakeApiServer, token?: () => string): ClusterAccess {
  const tls = {};
  const read = (): { headers: Record<string, string>; tls: object } => ({
    headers: token === undefined ? {} : { authorization: `Bearer ${token()}` },
    tls,
  });
  return { server: server.url, namespace: 'team', credentials: () => Promise.resolve(read()) };
}

/** Waits until `condition` holds; fails after half a minute. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not seen in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function kindOf(request: SeenRequest): RequestKind {
  if (request.method !== 'GET' || !request.path.endsWith('/taskruns')) return 'other';
  return request.query.has('watch') ? 'watch' : 'list';
}

function lineOf(event: Event): string {
  return `${JSON.stringify({ type: event.type, object: event.object })}\n`;
}

async function readAll(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
