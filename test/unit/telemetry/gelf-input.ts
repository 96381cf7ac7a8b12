import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { gunzipSync } from 'node:zlib';

/** A message as an input takes it down. */
export type ReceivedMessage = Readonly<Record<string, unknown>>;

/** A GELF input that takes messages down. */
export interface GelfInput extends AsyncDisposable {
  readonly port: number;
  readonly messages: readonly ReceivedMessage[];
  /** Bytes of each datagram, in the order of arrival. */
  readonly datagrams: readonly Buffer[];
  /** Resolves when so many messages have come. */
  received(count: number): Promise<readonly ReceivedMessage[]>;
}

class Inbox {
  readonly messages: ReceivedMessage[] = [];
  readonly datagrams: Buffer[] = [];
  #changed = Promise.withResolvers<undefined>();

  take(payload: Buffer): void {
    this.messages.push(JSON.parse(payload.toString('utf8')) as ReceivedMessage);
    this.#changed.resolve(undefined);
    this.#changed = Promise.withResolvers();
  }

  async received(count: number): Promise<readonly ReceivedMessage[]> {
    while (this.messages.length < count) await this.#changed.promise;
    return this.messages;
  }
}

/** Puts chunks together as GELF's specification says, in any order; undefined while some are missing. */
export class ChunkAssembly {
  readonly #parts = new Map<string, Map<number, Buffer>>();

  add(datagram: Buffer): Buffer | undefined {
    if (datagram[0] !== 0x1e || datagram[1] !== 0x0f) return datagram;
    const id = datagram.toString('hex', 2, 10);
    const [index = 0, count = 0] = datagram.subarray(10, 12);
    const parts = this.#parts.get(id) ?? new Map<number, Buffer>();
    this.#parts.set(id, parts.set(index, datagram.subarray(12)));
    if (parts.size < count) return undefined;
    return Buffer.concat(Array.from({ length: count }, (_, at) => parts.get(at) ?? Buffer.alloc(0)));
  }
}

/** Compressed payloads begin with gzip's magic bytes. */
const inflated = (payload: Buffer): Buffer =>
  payload[0] === 0x1f && payload[1] === 0x8b ? gunzipSync(payload) : payload;

/** Listens for datagrams on 127.0.0.1. */
export const openDatagramInput = async (port = 0): Promise<GelfInput> => {
  const inbox = new Inbox();
  const assembly = new ChunkAssembly();
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1024 * 1024 });
  socket.on('message', (datagram) => {
    inbox.datagrams.push(datagram);
    const payload = assembly.add(datagram);
    if (payload !== undefined) inbox.take(inflated(payload));
  });
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  return {
    port: socket.address().port,
    messages: inbox.messages,
    datagrams: inbox.datagrams,
    received: (count) => inbox.received(count),
    [Symbol.asyncDispose]: async () => {
      socket.close();
      await once(socket, 'close');
    },
  };
};

/** Listens for null-terminated messages on 127.0.0.1, by TLS if a certificate is given; `isDeaf` never reads. */
export const openStreamInput = async (
  options: {
    readonly port?: number;
    readonly tls?: { readonly key: string; readonly cert: string };
    readonly isDeaf?: boolean;
  } = {},
): Promise<GelfInput> => {
  const inbox = new Inbox();
  const sockets = new Set<Socket>();
  const serve = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    if (options.isDeaf === true) {
      socket.pause();
      return;
    }
    let rest = Buffer.alloc(0);
    socket.on('data', (data: Buffer) => {
      rest = Buffer.concat([rest, data]);
      for (let end = rest.indexOf(0); end !== -1; end = rest.indexOf(0)) {
        inbox.take(rest.subarray(0, end));
        rest = rest.subarray(end + 1);
      }
    });
  };
  const server: Server =
    options.tls === undefined ? createServer(serve) : createTlsServer(options.tls, serve);
  server.on('tlsClientError', () => undefined);
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    messages: inbox.messages,
    datagrams: inbox.datagrams,
    received: (count) => inbox.received(count),
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
};
