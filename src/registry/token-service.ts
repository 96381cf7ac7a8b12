import { z } from 'zod';
import { registryLimits } from './registry-limits.ts';
import { accessDenied, brokenAnswer, fromAnswer } from './registry-faults.ts';
import type { Clock } from '../model/clock.ts';
import type { CallOptions } from './image-store.ts';
import type { AuthChallenge } from './auth-challenge.ts';
import type { Credentials } from './credentials.ts';
import type { HttpSender } from './http-sender.ts';

/** A bearer token and when it stops being of use. */
export interface BearerToken {
  readonly value: string;
  readonly expiresAt: Date;
}

/** What a token is asked for. */
export interface TokenRequest {
  readonly challenge: Extract<AuthChallenge, { scheme: 'bearer' }>;
  /** E.g. `repository:golem-trust/app:pull,push`. */
  readonly scope: string;
  readonly credentials: Credentials | undefined;
  readonly access: 'pull' | 'push';
  /** True where the registry itself may be reached by plain HTTP; then its token service may, too. */
  readonly plainHttpAllowed: boolean;
}

const clientId = 'chainwright';
const defaultLifetimeSeconds = 60;
const maxLifetimeSeconds = 3600;
const usableShare = 0.9;

const answer = z.looseObject({
  token: z.string().optional(),
  access_token: z.string().optional(),
  expires_in: z.number().positive().optional(),
});

/**
 * Asks a token service for a token (distribution-spec's token authentication: GET with Basic credentials or none; POST
 * with a refresh token, OAuth2). Throws ERR_REGISTRY_DENIED if it refuses the credentials, and ERR_REGISTRY_ANSWER.
 */
export async function requestToken(
  sender: HttpSender,
  clock: Clock,
  request: TokenRequest,
  options: CallOptions,
): Promise<BearerToken> {
  const realm = parseRealm(request);
  const name = `${realm.origin}${realm.pathname}`;
  const asked = clock.now();
  const response = await sender.send({
    ...(request.credentials?.kind === 'identity-token'
      ? refreshRequest(realm, request, request.credentials.token)
      : tokenRequest(realm, request)),
    object: name,
    maxBytes: registryLimits.tokenBytes * 2,
    signal: options.signal,
  });
  if (response.status === 401 || response.status === 403) {
    throw accessDenied(request.scope, request.access, `: the token service ${name} refused the credentials`);
  }
  if (response.status !== 200) {
    const failed = {
      status: response.status,
      retryAfter: response.header('retry-after'),
      body: response.bytes,
    };
    throw fromAnswer(failed, name, asked);
  }
  return parseToken(response.bytes, name, asked);
}

function parseRealm({ challenge, plainHttpAllowed }: TokenRequest): URL {
  const realm = URL.parse(challenge.realm);
  const allowed = realm?.protocol === 'https:' || (realm?.protocol === 'http:' && plainHttpAllowed);
  if (realm === null || !allowed || realm.username !== '') {
    throw brokenAnswer(challenge.realm.slice(0, 200), 'it is no usable token service');
  }
  return realm;
}

function tokenRequest(realm: URL, { challenge, scope, credentials }: TokenRequest) {
  const url = new URL(realm);
  if (challenge.service !== undefined) url.searchParams.set('service', challenge.service);
  url.searchParams.set('scope', scope);
  url.searchParams.set('client_id', clientId);
  const headers = credentials?.kind === 'basic' ? { authorization: basicHeader(credentials) } : {};
  return { method: 'GET' as const, url, headers };
}

function refreshRequest(realm: URL, { challenge, scope }: TokenRequest, refreshToken: string) {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: clientId,
    scope,
    refresh_token: refreshToken,
    ...(challenge.service === undefined ? {} : { service: challenge.service }),
  });
  return {
    method: 'POST' as const,
    url: realm,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(form.toString()),
  };
}

function parseToken(bytes: Uint8Array, name: string, asked: Date): BearerToken {
  const parsed = answer.safeParse(parseJson(bytes));
  const value = parsed.data?.token ?? parsed.data?.access_token;
  if (value === undefined || value.length > registryLimits.tokenBytes || !/^[\x21-\x7e]+$/.test(value)) {
    throw brokenAnswer(name, 'it gave no usable token');
  }
  const lifetime = Math.min(parsed.data?.expires_in ?? defaultLifetimeSeconds, maxLifetimeSeconds);
  return { value, expiresAt: new Date(asked.getTime() + lifetime * 1000 * usableShare) };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as unknown;
  } catch {
    // Reported as "no usable token", without the text: it may hold one.
    return undefined;
  }
}

/** The `Authorization` header of Basic credentials (RFC 7617). */
export function basicHeader(credentials: Extract<Credentials, { kind: 'basic' }>): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
}
