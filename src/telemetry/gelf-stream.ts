import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect as connectPlain, isIP } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import type { GelfCarrier, GelfConnection, GelfTarget } from './gelf-carrier.ts';
import { unreachable, unreadable, untrusted } from './gelf-fault.ts';
import { encodeGelf, shortenGelf } from './gelf-message.ts';
import type { GelfMessage } from './gelf-message.ts';

// Graylog's inputs refuse frames above 2 MiB by default.
const maxFrameBytes = 1024 * 1024;
const keepAliveMs = 30_000;
const end = Buffer.from([0]);

/**
 * GELF over TCP or TLS: messages end with a null byte and are not compressed. The server's certificate must be valid for
 * the target's host, by the authorities in `caFile` (read at each connection) or else those of the system.
 */
export function streamCarrier(target: GelfTarget, caFile?: string): GelfCarrier {
  const payloadOf = (message: GelfMessage): Buffer => Buffer.concat([encodeGelf(message), end]);
  return {
    encode: (message) => {
      const payload = payloadOf(message);
      if (payload.length <= maxFrameBytes) return payload;
      return payloadOf(shortenGelf(message, (shorter) => payloadOf(shorter).length <= maxFrameBytes));
    },
    connect: async ({ signal }) =>
      new StreamConnection(
        target.protocol === 'tls' ? await openTls(target, caFile, signal) : await openPlain(target, signal),
        target,
      ),
  };
}

async function openPlain(target: GelfTarget, signal: AbortSignal): Promise<Socket> {
  const socket = connectPlain({ host: target.host, port: target.port });
  socket.unref();
  try {
    await once(socket, 'connect', { signal });
    return socket;
  } catch (error) {
    socket.on('error', () => undefined).destroy();
    throw unreachable(target, error);
  }
}

async function openTls(
  target: GelfTarget,
  caFile: string | undefined,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const ca = caFile === undefined ? undefined : await readAuthorities(caFile, signal);
  const { host, port } = target;
  let socket;
  try {
    socket = connectTls({
      host,
      port,
      minVersion: 'TLSv1.2',
      ...(ca === undefined ? {} : { ca }),
      ...(isIP(host) === 0 ? { servername: host } : {}),
    });
    socket.unref();
    await once(socket, 'secureConnect', { signal });
    return socket;
  } catch (error) {
    socket?.on('error', () => undefined).destroy();
    // Node sets this, whatever its types say, only if the certificate was looked at and found wanting.
    const objection: unknown = socket?.authorizationError;
    throw objection === undefined || objection === null
      ? unreachable(target, error)
      : untrusted(target, error);
  }
}

async function readAuthorities(file: string, signal: AbortSignal): Promise<Buffer> {
  try {
    return await readFile(file, { signal });
  } catch (error) {
    throw unreadable(file, error);
  }
}

class StreamConnection implements GelfConnection {
  readonly #socket: Socket;
  readonly #target: GelfTarget;
  #isOpen = true;

  constructor(socket: Socket, target: GelfTarget) {
    this.#socket = socket;
    this.#target = target;
    const close = (): void => {
      this.#isOpen = false;
    };
    socket.on('end', close).on('close', close).on('error', close);
    socket.setKeepAlive(true, keepAliveMs);
    // A GELF input says nothing, but its end is only seen by those who read.
    socket.resume();
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  async write(payload: Buffer, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const stop = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      signal.throwIfAborted();
      this.#socket.write(payload, (error) => {
        if (error instanceof Error) reject(error);
        else resolve(undefined);
      });
      await promise;
    } catch (error) {
      throw unreachable(this.#target, error);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  async end({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    try {
      if (!this.#socket.destroyed) {
        this.#socket.end();
        await once(this.#socket, 'close', { signal });
      }
    } catch {
      // The other end does not close in time: what it has not taken by now is lost.
    } finally {
      this.destroy();
    }
  }

  destroy(): void {
    this.#isOpen = false;
    this.#socket.destroy();
  }
}
