import { connect } from 'node:net';
import { readFile } from 'node:fs/promises';
import * as http from 'node:http';
import * as https from 'node:https';

import { inState } from '../paths.ts';

// Whoever is slow is not ill: a running server that fails its probe is started anew.
const probeMilliseconds = 15_000;

/** True if a GET of the address is answered with a 2xx status. TLS must be of the stack's own authority. */
export async function answersHttp(url: string): Promise<boolean> {
  const secure = url.startsWith('https:');
  const ca = secure ? await readFile(inState('certs', 'ca.crt')).catch(() => undefined) : undefined;
  return new Promise((resolve) => {
    const options = {
      timeout: probeMilliseconds,
      agent: false as const,
      ...(ca === undefined ? {} : { ca }),
    };
    const request = (secure ? https : http).get(url, options, (response) => {
      response.resume();
      const status = response.statusCode ?? 0;
      resolve(status >= 200 && status < 300);
    });
    request.once('timeout', () => {
      request.destroy();
    });
    request.once('error', () => {
      resolve(false);
    });
    request.once('close', () => {
      resolve(false);
    });
  });
}

/** True if a TCP connection to the address is accepted and, when a line is sent, answered with that text. */
export async function answersTcp(
  host: string,
  port: number,
  exchange?: { send: string; expect: string },
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: probeMilliseconds });
    const end = (healthy: boolean): void => {
      socket.destroy();
      resolve(healthy);
    };
    socket.once('timeout', () => {
      end(false);
    });
    socket.once('error', () => {
      end(false);
    });
    socket.once('connect', () => {
      if (exchange === undefined) end(true);
      else socket.write(exchange.send);
    });
    socket.once('data', (answer: Buffer) => {
      end(exchange !== undefined && answer.toString('utf8').startsWith(exchange.expect));
    });
  });
}
