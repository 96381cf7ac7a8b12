import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { gunzipSync, inflateSync } from 'node:zlib';
import { waitFor } from './waiting.ts';

/** A GELF message, as Graylog reads it. */
export type GelfMessage = Readonly<Record<string, unknown>>;

/** A GELF input over UDP on loopback, as Graylog has it. */
export interface GelfListener extends AsyncDisposable {
  /** `udp://127.0.0.1:PORT` */
  readonly address: string;
  /** Waits for a message that `isWanted` wants. */
  readonly waitFor: (what: string, isWanted: (message: GelfMessage) => boolean) => Promise<GelfMessage>;
}

/** Listens on a free port. */
export async function openGelfListener(): Promise<GelfListener> {
  const messages: GelfMessage[] = [];
  const chunks = new Map<string, Buffer[]>();
  const socket = createSocket('udp4');
  socket.on('message', (datagram) => {
    const whole = assemble(datagram, chunks);
    if (whole !== undefined) messages.push(JSON.parse(unpack(whole)) as GelfMessage);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    address: `udp://127.0.0.1:${socket.address().port}`,
    waitFor: async (what, isWanted) =>
      waitFor(() => Promise.resolve(messages.find(isWanted)), { what, timeoutMs: 60_000 }),
    [Symbol.asyncDispose]: async () => {
      socket.close();
      await once(socket, 'close');
    },
  };
}

/** A chunk (GELF over UDP): 1e 0f, eight bytes of id, its number, how many there are. */
function assemble(datagram: Buffer, chunks: Map<string, Buffer[]>): Buffer | undefined {
  if (datagram.readUInt16BE(0) !== 0x1e0f) return datagram;
  const id = datagram.toString('hex', 2, 10);
  const parts = chunks.get(id) ?? [];
  chunks.set(id, parts);
  parts[datagram.readUInt8(10)] = datagram.subarray(12);
  const isWhole = Object.keys(parts).length === datagram.readUInt8(11);
  return isWhole ? Buffer.concat(parts) : undefined;
}

function unpack(bytes: Buffer): string {
  if (bytes.readUInt16BE(0) === 0x1f8b) return gunzipSync(bytes).toString('utf8');
  return (bytes.readUInt8(0) === 0x78 ? inflateSync(bytes) : bytes).toString('utf8');
}
