import { readFile } from 'node:fs/promises';
import { AppError, messageOf } from '../model/errors.ts';
import type { Clock } from '../model/clock.ts';

/** Where the OpenID Connect token comes from that Fulcio turns into a certificate. */
export interface IdentityTokenSource {
  /** A token that is valid for at least the next seconds; never logged, never kept longer than needed. */
  fetch(options: { readonly signal: AbortSignal }): Promise<string>;
}

/** The claims of a token that the signer looks at; the signature is Fulcio's to check. */
export interface TokenClaims {
  readonly issuer: string;
  /** What Fulcio wants the proof of possession over: the verified `email` if there is one, else `sub`. */
  readonly subject: string;
  readonly audience: readonly string[];
  readonly expiresAt?: Date;
}

// A projected ServiceAccount token is about 1 KiB; one with many bound claims stays far below this.
const maxTokenBytes = 64 * 1024;
const minimumLifetimeMs = 5_000;

/**
 * A token from a file, as a projected volume mounts it. The file is read on every call, because the kubelet replaces
 * it. Errors: ERR_IDENTITY_TOKEN_UNREADABLE, ERR_IDENTITY_TOKEN_MALFORMED, ERR_IDENTITY_TOKEN_EXPIRED.
 */
export function createFileTokenSource(path: string, clock: Clock): IdentityTokenSource {
  return {
    fetch: async ({ signal }) => checkToken(await readToken(path, signal), path, clock),
  };
}

/**
 * A token from a function, such as a TokenRequest to the API server; the function's own errors pass through.
 * Errors: ERR_IDENTITY_TOKEN_MALFORMED, ERR_IDENTITY_TOKEN_EXPIRED.
 */
export function createRequestTokenSource(
  request: (options: { readonly signal: AbortSignal }) => Promise<string>,
  clock: Clock,
): IdentityTokenSource {
  return { fetch: async (options) => checkToken(await request(options), 'the requested token', clock) };
}

/** The one token that a user gave (`--identity-token`). Errors: as {@link createRequestTokenSource}. */
export function createStaticTokenSource(token: string, clock: Clock): IdentityTokenSource {
  return createRequestTokenSource(() => Promise.resolve(token), clock);
}

/** Reads the claims of a JSON Web Token without verifying it. Throws ERR_IDENTITY_TOKEN_MALFORMED. */
export function readTokenClaims(token: string, object = 'the identity token'): TokenClaims {
  const claims = decodePayload(token, object);
  const { iss, sub, aud, exp, email, email_verified: emailVerified } = claims;
  if (typeof iss !== 'string' || typeof sub !== 'string' || sub === '') {
    throw malformed(object, 'it has no "iss" and "sub"');
  }
  const audiences: unknown[] = Array.isArray(aud) ? aud : [aud];
  return {
    issuer: iss,
    subject: typeof email === 'string' && (emailVerified === true || emailVerified === 'true') ? email : sub,
    audience: audiences.filter((value) => typeof value === 'string'),
    ...(typeof exp === 'number' ? { expiresAt: new Date(exp * 1000) } : {}),
  };
}

async function readToken(path: string, signal: AbortSignal): Promise<string> {
  try {
    return await readFile(path, { encoding: 'utf8', signal });
  } catch (error) {
    signal.throwIfAborted();
    // Passing: the runs are not at fault and wait until the volume is mounted.
    throw new AppError('ERR_IDENTITY_TOKEN_UNREADABLE', `${path} cannot be read: ${messageOf(error)}`, {
      kind: 'passing',
      object: path,
      remedy: 'Mount a projected ServiceAccount token with the audience sigstore there.',
      cause: error,
    });
  }
}

function checkToken(raw: string, object: string, clock: Clock): string {
  const token = raw.trim();
  const { expiresAt } = readTokenClaims(token, object);
  if (expiresAt !== undefined && expiresAt.getTime() - clock.now().getTime() < minimumLifetimeMs) {
    throw new AppError('ERR_IDENTITY_TOKEN_EXPIRED', `${object} expired at ${expiresAt.toISOString()}`, {
      kind: 'passing',
      object,
      remedy: 'Check that the kubelet rotates the token and that the clocks agree.',
    });
  }
  return token;
}

function decodePayload(token: string, object: string): Readonly<Record<string, unknown>> {
  const parts = token.split('.');
  const payload = parts[1];
  if (token.length > maxTokenBytes || parts.length !== 3 || payload === undefined) {
    throw malformed(object, 'it does not have three parts');
  }
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    if (typeof claims === 'object' && claims !== null) return claims as Record<string, unknown>;
  } catch {
    // Falls through: what is no JSON is as malformed as what is no object; the content stays out of the message.
  }
  throw malformed(object, 'its payload is no JSON object');
}

function malformed(object: string, why: string): AppError {
  return new AppError('ERR_IDENTITY_TOKEN_MALFORMED', `${object} is no JSON Web Token: ${why}`, {
    kind: 'passing',
    object,
    remedy: 'Give a ServiceAccount or OpenID Connect token with the audience sigstore.',
  });
}
