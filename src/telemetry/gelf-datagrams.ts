import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import type { GelfCarrier, GelfConnection, GelfTarget } from './gelf-carrier.ts';
import { datagramsOf, maxDatagramPayload } from './gelf-chunks.ts';
import { unreachable } from './gelf-fault.ts';
import { encodeGelf, shortenGelf } from './gelf-message.ts';
import type { GelfMessage } from './gelf-message.ts';

// Nothing tells us that a name means another address by now, so it is asked for again after this time.
const maxAgeMs = 60_000;

/** GELF over UDP: each message a datagram or chunks, compressed if wanted. */
export function datagramCarrier(target: GelfTarget, compression: 'gzip' | 'none'): GelfCarrier {
  const payloadOf = (message: GelfMessage): Buffer =>
    compression === 'gzip' ? gzipSync(encodeGelf(message)) : encodeGelf(message);
  return {
    encode: (message) => {
      const payload = payloadOf(message);
      if (payload.length <= maxDatagramPayload) return payload;
      return payloadOf(shortenGelf(message, (shorter) => payloadOf(shorter).length <= maxDatagramPayload));
    },
    connect: ({ signal }) => connect(target, signal),
  };
}

async function connect(target: GelfTarget, signal: AbortSignal): Promise<GelfConnection> {
  try {
    const { address, family } = await lookup(target.host);
    signal.throwIfAborted();
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    socket.unref();
    const connected = once(socket, 'connect', { signal });
    socket.connect(target.port, address);
    await connected;
    return new DatagramConnection(socket, target);
  } catch (error) {
    throw unreachable(target, error);
  }
}

class DatagramConnection implements GelfConnection {
  readonly #socket: Socket;
  readonly #target: GelfTarget;
  readonly #send: (datagram: Buffer) => Promise<unknown>;
  readonly #bestBefore = performance.now() + maxAgeMs;
  #isBroken = false;

  constructor(socket: Socket, target: GelfTarget) {
    this.#socket = socket;
    this.#target = target;
    this.#send = promisify((datagram: Buffer, done: (error: Error | null) => void) => {
      socket.send(datagram, done);
    });
    // The system reports here that nobody listens at the other end.
    socket.on('error', () => {
      this.#isBroken = true;
    });
  }

  get isOpen(): boolean {
    return !this.#isBroken && performance.now() < this.#bestBefore;
  }

  async write(payload: Buffer, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    try {
      for (const datagram of datagramsOf(payload, randomBytes(8))) {
        signal.throwIfAborted();
        await this.#send(datagram);
      }
    } catch (error) {
      throw unreachable(this.#target, error);
    }
  }

  end(): Promise<void> {
    this.destroy();
    return Promise.resolve();
  }

  destroy(): void {
    this.#isBroken = true;
    try {
      this.#socket.close();
    } catch {
      // It is closed already.
    }
  }
}
