import { Agent, request as forward } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Answers a request. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const agent = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 1024 });

function fail(response: ServerResponse, error: Error): void {
  if (response.headersSent) {
    response.destroy(error);
    return;
  }
  const message = `the server behind does not answer: ${error.message}`;
  response.writeHead(502, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ errors: [{ code: 'UNAVAILABLE', message }] }));
}

/** A handler that passes each request on to a loopback port, and the answer back, without keeping either in memory. */
export function passOnTo(port: number, scheme: 'http' | 'https'): Handler {
  return (request, response) => {
    const client = request.socket.remoteAddress ?? '';
    const headers = { ...request.headers, 'x-forwarded-proto': scheme, 'x-forwarded-for': client };
    // Each connection has its own: the client's is not the server's.
    delete headers.connection;
    const options = { host: '127.0.0.1', port, method: request.method, path: request.url, headers, agent };
    const behind = forward(options, (answer) => {
      delete answer.headers.connection;
      delete answer.headers['keep-alive'];
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
      answer.once('error', (error) => {
        fail(response, error);
      });
    });
    behind.once('error', (error) => {
      fail(response, error);
    });
    response.once('close', () => {
      if (!response.writableFinished) behind.destroy();
    });
    request.pipe(behind);
  };
}

/** Ends a front's process on SIGTERM without waiting for idle connections. */
export function closeOnTerminate(server: { close(): unknown; closeAllConnections(): void }): void {
  process.once('SIGTERM', () => {
    server.close();
    server.closeAllConnections();
    agent.destroy();
  });
}
