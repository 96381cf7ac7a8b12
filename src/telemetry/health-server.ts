import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { messageOf } from '../model/errors.ts';
import { addressOf, listenOn } from './listening.ts';
import type { MetricsPage } from './operation-metrics.ts';

/** Gives what is wrong in a few words, or `undefined` where all is well. A throw counts as wrong. */
export type HealthCheck = () => string | undefined | Promise<string | undefined>;

/** What is served where. */
export interface HealthServerOptions {
  /** `HOST:PORT` or `:PORT` (all interfaces); port 0 takes a free one. */
  readonly address: string;
  /** Checks by name. A failed `live` check has the kubelet restart us, a failed `ready` check takes us out of service. */
  readonly live: Readonly<Record<string, HealthCheck>>;
  readonly ready: Readonly<Record<string, HealthCheck>>;
  readonly metrics: MetricsPage;
  /** How long a check may take; default 2000. */
  readonly checkDeadlineMs?: number;
}

/** A server that listens. */
export interface HealthServer extends AsyncDisposable {
  /** `HOST:PORT` that it really listens on. */
  readonly address: string;
  /** Ends every connection and frees the port. */
  close(): Promise<void>;
}

const defaultCheckDeadlineMs = 2000;
const serverBounds = {
  requestTimeout: 10_000,
  headersTimeout: 5000,
  keepAliveTimeout: 15_000,
  maxHeaderSize: 16_384,
} as const;
// Prometheus and the kubelet need a handful.
const maxConnections = 100;

interface Page {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Serves `/healthz`, `/readyz` and `/metrics`. Throws ERR_HEALTH_ADDRESS, ERR_HEALTH_LISTEN. */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const server = createServer(serverBounds, (request, response) => {
    void answer(request, response, options);
  });
  server.maxConnections = maxConnections;
  await listenOn(server, options.address, {
    malformed: 'ERR_HEALTH_ADDRESS',
    refused: 'ERR_HEALTH_LISTEN',
    setting: 'telemetry.metricsAddress',
  });
  const close = async (): Promise<void> => {
    await new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
      server.closeAllConnections();
    });
  };
  return { address: addressOf(server), close, [Symbol.asyncDispose]: close };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: HealthServerOptions,
): Promise<void> {
  const page = await pageOf(request, options).catch((error: unknown): Page => ({
    status: 500,
    contentType: 'text/plain',
    body: `${messageOf(error)}\n`,
  }));
  response.writeHead(page.status, {
    'content-type': page.contentType,
    'content-length': Buffer.byteLength(page.body),
    'cache-control': 'no-store',
    ...(page.status === 405 ? { allow: 'GET, HEAD' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : page.body);
}

async function pageOf(request: IncomingMessage, options: HealthServerOptions): Promise<Page> {
  const text = (status: number, body: string): Page => ({
    status,
    contentType: 'text/plain; charset=utf-8',
    body,
  });
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'only GET and HEAD\n');
  const deadlineMs = options.checkDeadlineMs ?? defaultCheckDeadlineMs;
  switch (request.url?.split('?')[0]) {
    case '/healthz':
      return report(options.live, deadlineMs);
    case '/readyz':
      return report(options.ready, deadlineMs);
    case '/metrics':
      return { status: 200, contentType: options.metrics.contentType, body: await options.metrics.render() };
    default:
      return text(404, 'here are /healthz, /readyz and /metrics\n');
  }
}

async function report(checks: Readonly<Record<string, HealthCheck>>, deadlineMs: number): Promise<Page> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => ({ name, wrong: await runCheck(check, deadlineMs) })),
  );
  const isWell = results.every(({ wrong }) => wrong === undefined);
  const lines = results.map(({ name, wrong }) =>
    wrong === undefined ? `[+] ${name}: ok` : `[-] ${name}: ${wrong}`,
  );
  const body = [...lines, isWell ? 'ok' : 'failed', ''].join('\n');
  return { status: isWell ? 200 : 503, contentType: 'text/plain; charset=utf-8', body };
}

async function runCheck(check: HealthCheck, deadlineMs: number): Promise<string | undefined> {
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => {
    late.resolve(`no answer within ${deadlineMs} ms`);
  }, deadlineMs);
  try {
    return await Promise.race([check(), late.promise]);
  } catch (error) {
    return messageOf(error);
  } finally {
    clearTimeout(timer);
  }
}
