import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { request } from 'undici';

/** Changes the body of an answer; `path` is that of the call. */
export type AnswerEdit = (path: string, body: string) => string;

/** A server before a log that may show another log than there is. */
export class LogFront implements AsyncDisposable {
  /** What is done to each answer. */
  edit: AnswerEdit = (_, body) => body;
  /** Every call is answered with 503. */
  isAway = false;
  /** The time that it tells; absent: the right one. */
  date: Date | undefined;
  readonly url: string;
  readonly #server: ReturnType<typeof createServer>;

  private constructor(url: string, server: ReturnType<typeof createServer>) {
    this.url = url;
    this.#server = server;
  }

  static async open(logUrl: string): Promise<LogFront> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const front = new LogFront(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, server);
    server.on('request', (incoming, outgoing) => {
      front.#pass(logUrl, incoming, outgoing).catch(() => outgoing.destroy());
    });
    return front;
  }

  async #pass(logUrl: string, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const path = incoming.url ?? '/';
    if (this.isAway) {
      outgoing.writeHead(503).end();
      return;
    }
    const sent = Buffer.concat((await incoming.toArray()) as Buffer[]);
    const { statusCode, body } = await request(new URL(path, logUrl), {
      method: incoming.method === 'POST' ? 'POST' : 'GET',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: sent.length === 0 ? null : sent,
    });
    const text = await body.text();
    if (this.date !== undefined) outgoing.setHeader('date', this.date.toUTCString());
    outgoing.writeHead(statusCode, { 'content-type': 'application/json' }).end(this.edit(path, text));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
