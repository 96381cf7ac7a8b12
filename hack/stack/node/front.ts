/** Passes on what Pods send to the node's addresses to the servers that listen on loopback alone. */
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';

import { addressForPods, hosts, ports, urls } from '../addresses.ts';

const ofTheirOwn = Object.values(hosts).filter(({ ip }) => ip !== hosts.fulcio.ip);
const shared = [urls.fulcio, urls.ctlog, urls.rekor, urls.rekor2, urls.tsa].map((url) => new URL(url));
const doors = [
  ...ofTheirOwn.map(({ ip }) => ({ ip, port: ports.https })),
  ...shared.map(({ port }) => ({ ip: hosts.fulcio.ip, port: Number(port) })),
];

function passOn(from: Socket, host: string, port: number): void {
  const to = connect({ host, port, noDelay: true, allowHalfOpen: true });
  from.pipe(to).pipe(from);
  const pairs = [[from, to] as const, [to, from] as const];
  for (const [one, other] of pairs) {
    // What went wrong at one end is told to the other by the loss of its connection.
    one.once('error', () => undefined);
    one.once('close', () => {
      other.destroy();
    });
  }
}

for (const { ip, port } of doors) {
  const door = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    passOn(socket, ip, port);
  });
  door.listen(port, addressForPods(ip));
}
