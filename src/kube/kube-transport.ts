import { Agent, ProxyAgent, request } from 'undici';
import type { Dispatcher } from 'undici';
import type { Clock } from '../model/clock.ts';
import { readBounded } from '../model/bounded-body.ts';
import { parseRetryAfter } from '../model/errors.ts';
import type { ClusterAccess, ClusterCredentials, TlsMaterial } from './cluster-access.ts';
import { kubeBounds } from './kube-bounds.ts';
import { fromKubeFault, fromRefusal } from './kube-fault.ts';
import type { KubeCall } from './kube-fault.ts';
import { parseJson } from './json-stream.ts';

/** One request to the API server. */
export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  readonly call: KubeCall;
  /** Milliseconds to the answer's head; undici's 300 s if absent, for calls that have a deadline as a whole. */
  readonly headMs?: number;
  /** Milliseconds without a byte of the body after which the answer is given up; undici's 300 s if absent. */
  readonly idleMs?: number;
}

/** What became of one request, for metrics and for counting. */
export interface KubeTrace {
  readonly verb: string;
  readonly resource: string;
  /** HTTP status; 0 where no answer came. */
  readonly status: number;
  readonly durationMs: number;
}

/** What a transport is made of. */
export interface KubeTransportOptions {
  readonly access: ClusterAccess;
  readonly clock: Clock;
  /** Makes the one dispatcher per cluster; {@link openClusterAgent} if absent. Called again when certificates change. */
  readonly openDispatcher?: (access: ClusterAccess, tls: TlsMaterial) => Dispatcher;
  /** Told of each request; must not throw. */
  readonly onRequest?: (trace: KubeTrace) => void;
}

/** An undici agent for one API server: kept connections, a bound on their number, HTTP/1.1. */
export function openClusterAgent(access: ClusterAccess, tls: TlsMaterial): Dispatcher {
  const connect = { ...tls, keepAlive: true, keepAliveInitialDelay: 30_000 };
  const shared = {
    connections: kubeBounds.connections,
    keepAliveTimeout: kubeBounds.keepAliveMs,
    allowH2: false,
  };
  return access.proxy === undefined
    ? new Agent({ ...shared, connect })
    : new ProxyAgent({ ...shared, uri: access.proxy, requestTls: connect });
}

interface Connection {
  readonly tls: TlsMaterial;
  readonly dispatcher: Dispatcher;
}

/** Sends requests over one dispatcher per cluster, authenticated, and renews credentials once after a 401. */
export class KubeTransport implements AsyncDisposable {
  readonly #options: KubeTransportOptions;
  #connection: Connection | undefined;

  constructor(options: KubeTransportOptions) {
    this.#options = options;
  }

  /** Sends and gives the answer if it is a success; else throws as {@link fromRefusal} and {@link fromKubeFault} say. */
  async send(
    message: KubeRequest,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Dispatcher.ResponseData> {
    const { access } = this.#options;
    const credentials = await access.credentials({ signal });
    const answer = await this.#exchange(message, credentials, signal);
    if (answer.statusCode !== 401) return this.#accept(message, answer);
    await answer.body.dump();
    const renewed = await access.credentials({ refused: credentials, signal });
    return this.#accept(message, await this.#exchange(message, renewed, signal));
  }

  /** Ends all connections, open watches included. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection?.dispatcher.destroy();
    this.#connection = undefined;
  }

  async #exchange(
    message: KubeRequest,
    credentials: ClusterCredentials,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const { access, clock, onRequest } = this.#options;
    const { verb, resource } = message.call;
    const startMs = clock.now().getTime();
    const trace = (status: number): void =>
      onRequest?.({ verb, resource, status, durationMs: clock.now().getTime() - startMs });
    try {
      const answer = await request(urlOf(access.server, message), {
        method: message.method,
        dispatcher: this.#dispatcherFor(credentials.tls),
        headers: headersOf(message, credentials),
        signal,
        ...(message.body === undefined ? {} : { body: JSON.stringify(message.body) }),
        ...(message.headMs === undefined ? {} : { headersTimeout: message.headMs }),
        ...(message.idleMs === undefined ? {} : { bodyTimeout: message.idleMs }),
      });
      trace(answer.statusCode);
      return answer;
    } catch (error) {
      trace(0);
      signal.throwIfAborted();
      throw fromKubeFault(error, access.server);
    }
  }

  async #accept(message: KubeRequest, answer: Dispatcher.ResponseData): Promise<Dispatcher.ResponseData> {
    if (answer.statusCode >= 200 && answer.statusCode < 300) return answer;
    const header = answer.headers['retry-after'];
    const refusal = {
      status: answer.statusCode,
      body: await readStatus(answer),
      retryAfterMs: parseRetryAfter(
        typeof header === 'string' ? header : undefined,
        this.#options.clock.now(),
      ),
    };
    throw fromRefusal(refusal, message.call);
  }

  #dispatcherFor(tls: TlsMaterial): Dispatcher {
    const current = this.#connection;
    if (current?.tls === tls) return current.dispatcher;
    const open = this.#options.openDispatcher ?? openClusterAgent;
    const dispatcher = open(this.#options.access, tls);
    this.#connection = { tls, dispatcher };
    // running requests and watches end in their own time on the old certificate
    current?.dispatcher.close().catch(() => undefined);
    return dispatcher;
  }
}

function urlOf(server: string, message: KubeRequest): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(message.query ?? {})) {
    if (value !== undefined) query.set(name, value);
  }
  return query.size === 0 ? `${server}${message.path}` : `${server}${message.path}?${query.toString()}`;
}

function headersOf(message: KubeRequest, credentials: ClusterCredentials): Record<string, string> {
  return {
    accept: message.accept ?? 'application/json',
    'user-agent': 'chainwright',
    ...(message.body === undefined ? {} : { 'content-type': message.contentType ?? 'application/json' }),
    ...credentials.headers,
  };
}

async function readStatus(answer: Dispatcher.ResponseData): Promise<unknown> {
  try {
    const bound = { maxBytes: kubeBounds.faultBytes, code: 'ERR_KUBE_ANSWER_SIZE', object: 'Status' };
    return parseJson(await readBounded(answer.body, bound), 'Status');
  } catch {
    // a refusal whose body is no JSON, or was cut off, still has its status
    return undefined;
  }
}
