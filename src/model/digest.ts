import { createHash, hash } from 'node:crypto';
import { AppError } from './errors.ts';

declare const digestBrand: unique symbol;

/** A content digest of the OCI image specification (descriptor.md, "Digests"): `sha256:` or `sha512:` and lower-case hex. */
export type Digest = string & { readonly [digestBrand]: true };

const pattern = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** True if `value` is a digest by {@link Digest}'s grammar. */
export function isDigest(value: unknown): value is Digest {
  return typeof value === 'string' && pattern.test(value);
}

/** Gives `value` as a digest. Throws ERR_DIGEST_SYNTAX. */
export function parseDigest(value: string): Digest {
  if (isDigest(value)) return value;
  throw new AppError(
    'ERR_DIGEST_SYNTAX',
    `"${value.slice(0, 160)}" is not a digest of the form sha256:<64 hex>`,
    {
      kind: 'permanent',
      remedy: 'Give the digest as the registry prints it, in lower case.',
    },
  );
}

/** The sha256 digest of `bytes`. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${hash('sha256', bytes, 'hex')}` as Digest;
}

/** Algorithm and hex of a digest. */
export function splitDigest(digest: Digest): {
  readonly algorithm: 'sha256' | 'sha512';
  readonly hex: string;
} {
  const colon = digest.indexOf(':');
  return { algorithm: digest.slice(0, colon) as 'sha256' | 'sha512', hex: digest.slice(colon + 1) };
}

/** A running digest check for a stream: feed it with `update`, then `matches` tells whether all of it was `expected`. */
export function createDigestCheck(expected: Digest): { update(chunk: Uint8Array): void; matches(): boolean } {
  const running = createHash(splitDigest(expected).algorithm);
  return {
    update: (chunk) => {
      running.update(chunk);
    },
    matches: () => running.digest('hex') === splitDigest(expected).hex,
  };
}
