import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A call for an alarm, as its receiver has it. */
export interface ReceivedAlarm {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly alarm: {
    readonly id: string;
    readonly logMonitor: string;
    readonly alarm: string;
    readonly details: Readonly<Record<string, unknown>>;
  };
}

/** A receiver of alarms on a loopback port. */
export class AlarmInbox implements AsyncDisposable {
  readonly received: ReceivedAlarm[] = [];
  /** What it answers with; it takes an alarm with 204 only. */
  status = 204;
  url = '';
  readonly #server = createServer((request, response) => {
    void (async () => {
      const body = Buffer.concat((await request.toArray()) as Buffer[]).toString('utf8');
      if (this.status === 204) {
        const alarm = JSON.parse(body) as ReceivedAlarm['alarm'];
        this.received.push({ headers: request.headers, body, alarm });
      }
      response.writeHead(this.status).end();
    })();
  });

  static async open(): Promise<AlarmInbox> {
    const inbox = new AlarmInbox();
    await new Promise<void>((resolve) => inbox.#server.listen(0, '127.0.0.1', resolve));
    inbox.url = `http://127.0.0.1:${(inbox.#server.address() as AddressInfo).port}/alarms`;
    return inbox;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** The signature that a call must bear, worked out as docs/monitor.md tells it. */
export function signatureOf({ headers, body }: ReceivedAlarm, key: string): string {
  const time = String(headers['x-chainwright-timestamp']);
  return `sha256=${createHmac('sha256', key).update(`${time}.${body}`).digest('hex')}`;
}
