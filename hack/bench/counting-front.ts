import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { ports } from '../stack/addresses.ts';
import { credential } from '../stack/certificates.ts';
import { passOnTo } from '../stack/http/pass-on.ts';

/** A second way into the stack's Harbor that counts what goes through it. */
export interface CountingFront extends AsyncDisposable {
  /** `HOST:PORT` to use instead of Harbor's name. */
  readonly host: string;
  /** Requests to the registry so far; those to the token service are not among them. */
  readonly requests: () => number;
}

/**
 * Opens the front on `localhost`, with TLS like Harbor's own. It does what that one does, one hop to the same registry,
 * so it costs the contenders the same.
 */
export async function openCountingFront(): Promise<CountingFront> {
  const passOn = passOnTo(ports.harborRegistry, 'https');
  let requests = 0;
  // The API server's certificate is the one of the stack that names localhost.
  const tls = {
    cert: readFileSync(credential('kubernetes.crt')),
    key: readFileSync(credential('kubernetes.key')),
    noDelay: true,
  };
  const server = createServer(tls, (request, response) => {
    requests += 1;
    passOn(request, response);
  });
  server.keepAliveTimeout = 75_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 4096, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: `localhost:${port}`,
    requests: () => requests,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Writes a docker configuration with one account for one registry into a folder. */
export async function writeDockerConfig(
  folder: string,
  host: string,
  { user, password }: { readonly user: string; readonly password: string },
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const auth = Buffer.from(`${user}:${password}`).toString('base64');
  await writeFile(join(folder, 'config.json'), JSON.stringify({ auths: { [host]: { auth } } }), {
    mode: 0o600,
  });
  return folder;
}
