/**
 * The front door of the stack's Harbor, as its nginx is: TLS on 443, `/service/token` answered here, `/v2/` passed on to the
 * registry behind it.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

import { hosts, ports } from '../addresses.ts';
import { credential, privateKey, publicDer, robotPasswords, robots } from '../certificates.ts';
import { closeOnTerminate, passOnTo } from '../http/pass-on.ts';
import { keyId } from './token.ts';
import type { Account } from './token.ts';
import { tokenNames, tokenService } from './token-service.ts';

const passOn = passOnTo(ports.harborRegistry, 'https');

const passwords = await robotPasswords();
const project = 'golem-trust';
const accounts: readonly Account[] = [
  { name: robots.writer, password: passwords[robots.writer], project, actions: ['pull', 'push', 'delete'] },
  { name: robots.reader, password: passwords[robots.reader], project, actions: ['pull'] },
];
const key = await privateKey('harbor-token');
const giveToken = tokenService(accounts, {
  issuer: tokenNames.issuer,
  key,
  keyId: keyId(publicDer(key)),
  lifetimeSeconds: 1800,
});

const server = createServer(
  {
    cert: readFileSync(credential('harbor.crt')),
    key: readFileSync(credential('harbor.key')),
    noDelay: true,
  },
  (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    if (path === '/v2' || path.startsWith('/v2/')) passOn(request, response);
    else if (path === '/service/token') giveToken(request, response);
    else if (path === '/api/v2.0/ping') response.end('Pong');
    else response.writeHead(404).end();
  },
);
server.keepAliveTimeout = 75_000;
// A layer of some gigabytes may take its time.
server.requestTimeout = 0;
server.listen(ports.https, hosts.harbor.ip, 4096);
closeOnTerminate(server);
