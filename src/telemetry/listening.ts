import type { Server } from 'node:net';
import { AppError, messageOf } from '../model/errors.ts';

/** How a server's faults are told. */
export interface ListenFaults {
  /** Code for an address that is none. */
  readonly malformed: string;
  /** Code for one that cannot be listened on. */
  readonly refused: string;
  /** The setting that names the address. */
  readonly setting: string;
}

/** Has a server listen on `HOST:PORT` or `:PORT` (all interfaces); port 0 takes a free one. Throws by `faults`. */
export async function listenOn(server: Server, address: string, faults: ListenFaults): Promise<void> {
  const { host, port } = parseListenAddress(address, faults);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const where = `${host ?? ''}:${port}`;
      reject(
        new AppError(faults.refused, `cannot listen on ${where}: ${messageOf(error)}`, {
          kind: 'permanent',
          object: where,
          remedy: `Set ${faults.setting} to a free address.`,
          cause: error,
        }),
      );
    });
    server.listen({ host, port }, resolve);
  });
}

/** `HOST:PORT` that a server really listens on. */
export function addressOf(server: Server): string {
  const bound = server.address();
  if (bound === null || typeof bound === 'string') return String(bound);
  return bound.family === 'IPv6' ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
}

function parseListenAddress(
  address: string,
  { malformed, setting }: ListenFaults,
): { readonly host: string | undefined; readonly port: number } {
  const [, host = '', port] = /^(\[[\da-f:]+\]|[\w.-]*):(\d{1,5})$/.exec(address) ?? [];
  if (port === undefined || Number(port) > 65_535) {
    throw new AppError(malformed, `"${address.slice(0, 100)}" is no address of the form HOST:PORT`, {
      kind: 'permanent',
      remedy: `Set ${setting} to HOST:PORT or :PORT.`,
    });
  }
  return { host: host === '' ? undefined : host.replaceAll(/[[\]]/g, ''), port: Number(port) };
}
