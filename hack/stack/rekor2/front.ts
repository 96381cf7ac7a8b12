/**
 * The front door of the stack's Rekor v2. The server itself only takes entries; what it wrote (checkpoint, tiles) is
 * read from its folder, as a bucket's front serves it for the public log.
 */
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

import { ports } from '../addresses.ts';
import { closeOnTerminate, passOnTo } from '../http/pass-on.ts';
import { inState } from '../paths.ts';
import { tilePath } from './tile-path.ts';

const tiles = inState('data', 'rekor2');
const passOn = passOnTo(ports.rekor2Writer, 'http');

const server = createServer((request, response) => {
  const file =
    request.method === 'GET' || request.method === 'HEAD' ? tilePath(request.url ?? '/') : undefined;
  if (file === undefined) {
    passOn(request, response);
    return;
  }
  const cache = file === 'checkpoint' ? 'no-cache' : 'public, max-age=31536000, immutable';
  const content = createReadStream(join(tiles, file));
  content.once('open', () => {
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'cache-control': cache });
    if (request.method === 'HEAD') response.end();
    else content.pipe(response);
  });
  content.once('error', () => {
    if (response.headersSent) response.destroy();
    else response.writeHead(404).end();
  });
});
server.keepAliveTimeout = 75_000;
server.listen(ports.rekor2, '127.0.0.1', 4096);
closeOnTerminate(server);
