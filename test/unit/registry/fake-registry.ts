import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHash, randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';

/** One request that the fake was sent. */
export interface SeenRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

/** How the fake behaves; each part can be changed while it runs. */
export interface FakeBehaviour {
  auth: 'none' | 'basic' | 'bearer';
  /** Users that may log in, with their passwords. */
  users: Map<string, string>;
  /** Refresh tokens that the token service takes. */
  refreshTokens: Set<string>;
  /** Users that may push; everybody who logs in may pull. */
  pushers: Set<string>;
  tokenSeconds: number;
  referrersApi: boolean;
  /** Whether a pushed referrer is acknowledged with OCI-Subject. */
  statesSubject: boolean;
  honoursConditions: boolean;
  referrersPageSize: number;
  /** Answers by itself and gives true, or leaves it to the fake. */
  intercept: (request: SeenRequest, response: ServerResponse) => boolean | Promise<boolean>;
}

interface StoredDocument {
  readonly bytes: Buffer;
  readonly mediaType: string;
}

/** A small OCI registry on loopback, in memory, for tests of the adapter. */
export class FakeRegistry implements AsyncDisposable {
  readonly behaviour: FakeBehaviour;
  readonly seen: SeenRequest[] = [];
  readonly blobs = new Map<string, Buffer>();
  readonly manifests = new Map<string, StoredDocument>();
  readonly #server: Server;
  readonly #tokens = new Map<string, { scope: string; user: string; expires: number }>();
  readonly now: () => number;

  private constructor(server: Server, now: () => number) {
    this.#server = server;
    this.now = now;
    this.behaviour = {
      auth: 'none',
      users: new Map([['robot$app', 'secret']]),
      refreshTokens: new Set(['refresh-me']),
      pushers: new Set(['robot$app', 'identity']),
      tokenSeconds: 300,
      referrersApi: true,
      statesSubject: true,
      honoursConditions: false,
      referrersPageSize: 1000,
      intercept: () => false,
    };
  }

  static async start(now: () => number = Date.now): Promise<FakeRegistry> {
    const server = createServer((request, response) => {
      fake.#answer(request, response).catch((error: unknown) => {
        response.destroy(error as Error);
      });
    });
    const fake = new FakeRegistry(server, now);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  /** `127.0.0.1:PORT`. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** `METHOD /path` of each request so far, without the probe for TLS. */
  get log(): string[] {
    return this.seen.filter(({ url }) => url !== '/v2/').map(({ method, url }) => `${method} ${url}`);
  }

  clearLog(): void {
    this.seen.length = 0;
  }

  revokeTokens(): void {
    this.#tokens.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = request;
    const seen = { method, url, headers };
    this.seen.push(seen);
    const body = await buffer(request);
    if (await this.behaviour.intercept(seen, response)) return;
    const { pathname, searchParams } = new URL(url, 'http://fake');
    if (pathname === '/token') this.#token(seen, searchParams, body, response);
    else this.#route(seen, { pathname, searchParams }, body, response);
  }

  #route(
    seen: SeenRequest,
    { pathname, searchParams }: Pick<URL, 'pathname' | 'searchParams'>,
    body: Buffer,
    response: ServerResponse,
  ): void {
    const { method, headers } = seen;
    const match = /^\/v2\/(?<name>.+)\/(?<kind>manifests|blobs|referrers)\/(?<rest>.*)$/.exec(pathname);
    if (match?.groups === undefined) {
      response.writeHead(pathname === '/v2/' ? 200 : 404).end();
      return;
    }
    const { name = '', kind = '', rest = '' } = match.groups;
    if (!this.#isAllowed(seen, name, response)) return;
    const call = { method, name, rest, searchParams, headers, body, response };
    if (kind === 'manifests') this.#manifest(call);
    else if (kind === 'blobs') this.#blob(call);
    else this.#referrers(call);
  }

  #isAllowed(seen: SeenRequest, name: string, response: ServerResponse): boolean {
    const { auth } = this.behaviour;
    if (auth === 'none') return true;
    const action = seen.method === 'GET' || seen.method === 'HEAD' ? 'pull' : 'push';
    const given = seen.headers.authorization ?? '';
    if (auth === 'basic') return this.#isBasicAllowed(given, action, response);
    const token = this.#tokens.get(given.replace(/^Bearer /, ''));
    const isValid = token !== undefined && token.expires > this.now();
    if (isValid && token.scope.startsWith(`repository:${name}:`) && token.scope.includes(action)) return true;
    response.setHeader(
      'www-authenticate',
      `Bearer realm="http://${this.host}/token",service="fake",scope="repository:${name}:${action}"`,
    );
    return refuse(response, 401, 'UNAUTHORIZED');
  }

  #isBasicAllowed(given: string, action: string, response: ServerResponse): boolean {
    const user = this.#basicUser(given);
    if (user !== undefined && (action === 'pull' || this.behaviour.pushers.has(user))) return true;
    if (user !== undefined) return refuse(response, 403, 'DENIED');
    response.setHeader('www-authenticate', 'Basic realm="fake"');
    return refuse(response, 401, 'UNAUTHORIZED');
  }

  #basicUser(given: string): string | undefined {
    const decoded = Buffer.from(given.replace(/^Basic /, ''), 'base64').toString();
    const colon = decoded.indexOf(':');
    const user = decoded.slice(0, colon);
    return colon > 0 && this.behaviour.users.get(user) === decoded.slice(colon + 1) ? user : undefined;
  }

  #token(seen: SeenRequest, query: URLSearchParams, body: Buffer, response: ServerResponse): void {
    const form = seen.method === 'POST' ? new URLSearchParams(body.toString()) : query;
    const asked = form.get('scope') ?? '';
    const given = seen.headers.authorization;
    const user =
      seen.method === 'POST'
        ? this.behaviour.refreshTokens.has(form.get('refresh_token') ?? '')
          ? 'identity'
          : undefined
        : given === undefined
          ? 'anonymous'
          : this.#basicUser(given);
    if (user === undefined) {
      response.writeHead(401).end();
      return;
    }
    const scope = this.behaviour.pushers.has(user) ? asked : asked.replace(',push', '');
    const isGranted = user !== 'anonymous';
    const token = randomUUID();
    const { tokenSeconds } = this.behaviour;
    this.#tokens.set(token, {
      scope: isGranted ? scope : '',
      user,
      expires: this.now() + tokenSeconds * 1000,
    });
    const answer = { [seen.method === 'POST' ? 'access_token' : 'token']: token, expires_in: tokenSeconds };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  }

  #manifest(call: FakeCall): void {
    const { method, name, rest, body, response, headers } = call;
    if (method !== 'PUT') {
      this.#readManifest(call);
    } else if (!this.#isAsExpected(`${name} ${rest}`, headers['if-match'])) {
      refuse(response, 412, 'PRECONDITION');
    } else if (this.#missingBlob(name, body) !== undefined) {
      refuse(response, 400, 'MANIFEST_BLOB_UNKNOWN');
    } else {
      this.#writeManifest(call);
    }
  }

  #readManifest({ method, name, rest, response }: FakeCall): void {
    const found = this.manifests.get(`${name} ${rest}`);
    if (found === undefined) return void refuse(response, 404, 'MANIFEST_UNKNOWN');
    const digest = sha256(found.bytes);
    response.writeHead(200, {
      'content-type': found.mediaType,
      'content-length': found.bytes.length,
      'docker-content-digest': digest,
      etag: `"${digest}"`,
    });
    response.end(method === 'HEAD' ? undefined : found.bytes);
  }

  #isAsExpected(key: string, expected: string | undefined): boolean {
    if (!this.behaviour.honoursConditions || expected === undefined) return true;
    const current = this.manifests.get(key);
    return current !== undefined && `"${sha256(current.bytes)}"` === expected;
  }

  #writeManifest({ name, rest, body, response, headers }: FakeCall): void {
    const digest = sha256(body);
    const document = { bytes: body, mediaType: headers['content-type'] ?? '' };
    this.manifests.set(`${name} ${rest}`, document).set(`${name} ${digest}`, document);
    const subject = (JSON.parse(body.toString()) as { subject?: { digest: string } }).subject?.digest;
    const { referrersApi, statesSubject } = this.behaviour;
    if (subject !== undefined && referrersApi && statesSubject) response.setHeader('oci-subject', subject);
    response.writeHead(201, { 'docker-content-digest': digest, location: `/v2/${name}/manifests/${digest}` });
    response.end();
  }

  #missingBlob(name: string, body: Buffer): string | undefined {
    const manifest = JSON.parse(body.toString()) as {
      config?: { digest: string };
      layers?: { digest: string }[];
    };
    const needed = [...(manifest.config === undefined ? [] : [manifest.config]), ...(manifest.layers ?? [])];
    return needed.map(({ digest }) => digest).find((digest) => !this.blobs.has(`${name} ${digest}`));
  }

  #blob(call: FakeCall): void {
    const { method, name, rest, searchParams, body, response } = call;
    if (method === 'POST') {
      const place = `/v2/${name}/blobs/uploads/${randomUUID()}?state=kept`;
      return void response.writeHead(202, { location: place }).end();
    }
    if (method === 'PUT') {
      const digest = searchParams.get('digest') ?? '';
      if (digest !== sha256(body)) return void refuse(response, 400, 'DIGEST_INVALID');
      this.blobs.set(`${name} ${digest}`, body);
      return void response.writeHead(201, { 'docker-content-digest': digest }).end();
    }
    const found = this.blobs.get(`${name} ${rest}`);
    if (found === undefined) return void refuse(response, 404, 'BLOB_UNKNOWN');
    response.writeHead(200, { 'content-length': found.length, 'docker-content-digest': rest });
    response.end(method === 'HEAD' ? undefined : found);
  }

  #referrers({ name, rest, searchParams, response }: FakeCall): void {
    if (!this.behaviour.referrersApi) return void refuse(response, 404, 'NOT_FOUND');
    const all = [...this.manifests]
      .filter(([key]) => key.startsWith(`${name} sha256:`))
      .flatMap(([key, { bytes, mediaType }]) => {
        const manifest = JSON.parse(bytes.toString()) as {
          subject?: { digest: string };
          artifactType?: string;
          annotations?: Record<string, string>;
        };
        const { subject, artifactType, annotations } = manifest;
        const digest = key.slice(name.length + 1);
        return subject?.digest === rest
          ? [{ mediaType, digest, size: bytes.length, artifactType, annotations }]
          : [];
      });
    const from = Number(searchParams.get('from') ?? 0);
    const until = from + this.behaviour.referrersPageSize;
    if (until < all.length) {
      response.setHeader('link', `</v2/${name}/referrers/${rest}?from=${until}>; rel="next"`);
    }
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    response.writeHead(200, { 'content-type': mediaType });
    response.end(JSON.stringify({ schemaVersion: 2, mediaType, manifests: all.slice(from, until) }));
  }
}

interface FakeCall {
  readonly method: string;
  readonly name: string;
  readonly rest: string;
  readonly searchParams: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly response: ServerResponse;
}

function refuse(response: ServerResponse, status: number, code: string): false {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ errors: [{ code, message: `refused with ${code}` }] }));
  return false;
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
