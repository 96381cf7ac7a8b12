import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Above the ports of the stack, and below those that Linux gives to connections: one of these could be taken by any
// connection between our look and the start of whoever is to listen.
const range = { from: 16_000, to: 32_000 } as const;
const given = new Set<number>();

/** A port of 127.0.0.1 that nobody listens on, and that this process has not given away before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(range.from, range.to);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => {
      resolve(false);
    });
    server.listen(port, '127.0.0.1', () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
