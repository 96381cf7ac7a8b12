import { createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

const maxLength = 64 * 1024;
const header = /-----BEGIN (?:RSA )?PUBLIC KEY-----/;

/** The public key of a PEM text; undefined if it holds none. A certificate or a private key is none. */
export function parsePublicKey(pem: string): KeyObject | undefined {
  if (pem.length > maxLength || !header.test(pem)) return undefined;
  try {
    return createPublicKey(pem);
  } catch {
    // OpenSSL's message helps nobody.
    return undefined;
  }
}
