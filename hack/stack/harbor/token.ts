import { createHash, randomUUID, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** What an account may do in the repositories of one project. */
export interface Account {
  readonly name: string;
  readonly password: string;
  readonly project: string;
  readonly actions: readonly string[];
}

/** One grant of a registry token (Docker Registry v2 authentication). */
export interface Access {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

/** The name and password of a Basic authorization header; undefined if it is none. */
export function basicCredentials(header: string | undefined): { name: string; password: string } | undefined {
  const [scheme, encoded] = (header ?? '').split(' ');
  if (scheme?.toLowerCase() !== 'basic' || encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { name: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** The scopes that a client asks for: `repository:NAME:ACTIONS`, several in one parameter or in several. */
export function parseScopes(parameters: readonly string[]): Access[] {
  return parameters
    .flatMap((parameter) => parameter.split(' '))
    .filter((scope) => scope !== '')
    .flatMap((scope) => {
      const first = scope.indexOf(':');
      const last = scope.lastIndexOf(':');
      if (first < 0 || first === last) return [];
      return [
        {
          type: scope.slice(0, first),
          name: scope.slice(first + 1, last),
          actions: scope.slice(last + 1).split(','),
        },
      ];
    });
}

/** What of the asked scopes an account gets. Projects are private: nobody in particular gets nothing. */
export function grant(account: Account | undefined, asked: readonly Access[]): Access[] {
  if (account === undefined) return [];
  return asked
    .filter(({ type, name }) => type === 'repository' && name.startsWith(`${account.project}/`))
    .map(({ type, name, actions }) => ({
      type,
      name,
      actions: actions.includes('*')
        ? account.actions
        : actions.filter((action) => account.actions.includes(action)),
    }))
    .filter(({ actions }) => actions.length > 0);
}

const base32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** The key id by which distribution 2.x finds a key: 240 bits of the SPKI's SHA-256, in base32, in groups of four. */
export function keyId(publicKeyDer: Buffer): string {
  const bits = [...createHash('sha256').update(publicKeyDer).digest().subarray(0, 30)]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('');
  const letters = (bits.match(/.{5}/g) ?? []).map((five) => base32.charAt(Number.parseInt(five, 2))).join('');
  return (letters.match(/.{4}/g) ?? []).join(':');
}

/** What stands in every token that an issuer signs. */
export interface TokenIssuer {
  readonly issuer: string;
  readonly key: KeyObject;
  readonly keyId: string;
  readonly lifetimeSeconds: number;
}

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** A signed token that tells the registry what its bearer may do. */
export function issueToken(
  issuer: TokenIssuer,
  subject: string,
  claims: { readonly audience: string; readonly access: readonly Access[] },
  now: Date,
): string {
  const seconds = Math.floor(now.getTime() / 1000);
  const head = encoded({ typ: 'JWT', alg: 'ES256', kid: issuer.keyId });
  const body = encoded({
    iss: issuer.issuer,
    sub: subject,
    aud: claims.audience,
    access: claims.access,
    jti: randomUUID(),
    iat: seconds,
    nbf: seconds - 5,
    exp: seconds + issuer.lifetimeSeconds,
  });
  const signature = sign('sha256', Buffer.from(`${head}.${body}`), {
    key: issuer.key,
    dsaEncoding: 'ieee-p1363',
  });
  return `${head}.${body}.${signature.toString('base64url')}`;
}
