import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

import { basicCredentials, grant, issueToken, parseScopes } from './token.ts';
import type { Account, TokenIssuer } from './token.ts';

/** Harbor's names for the two ends of a token. */
export const tokenNames = { issuer: 'harbor-token-issuer', service: 'harbor-registry' } as const;

function isSame(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

function refuse(response: ServerResponse, status: number, message: string): void {
  answer(response, status, { errors: [{ code: status === 401 ? 'UNAUTHORIZED' : 'UNSUPPORTED', message }] });
}

/** Answers `GET /service/token` as Harbor does: Basic credentials in, a registry token out. */
export function tokenService(
  accounts: readonly Account[],
  issuer: TokenIssuer,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    if (request.method !== 'GET') {
      refuse(response, 405, 'only GET is served here');
      return;
    }
    const given = basicCredentials(request.headers.authorization);
    const account =
      given === undefined
        ? undefined
        : accounts.find(({ name, password }) => name === given.name && isSame(password, given.password));
    if (request.headers.authorization !== undefined && account === undefined) {
      refuse(response, 401, 'unknown account or wrong password');
      return;
    }
    const query = new URL(request.url ?? '/', 'https://harbor').searchParams;
    const now = new Date();
    const access = grant(account, parseScopes(query.getAll('scope')));
    const audience = query.get('service') ?? tokenNames.service;
    const token = issueToken(issuer, account?.name ?? '', { audience, access }, now);
    answer(response, 200, {
      token,
      access_token: token,
      expires_in: issuer.lifetimeSeconds,
      issued_at: now.toISOString(),
    });
  };
}
