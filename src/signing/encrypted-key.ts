import { scrypt } from 'node:crypto';
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js';
import { z } from 'zod';
import { AppError } from '../model/errors.ts';

const base64 = z.base64().max(64 * 1024);
/** The container of go-securesystemslib/encrypted, which cosign writes into its PEM block. */
const container = z.object({
  kdf: z.object({
    name: z.literal('scrypt'),
    // Only the costs that go-securesystemslib itself accepts: others are a way to exhaust memory.
    params: z.object({
      N: z.union([z.literal(32_768), z.literal(65_536)]),
      r: z.literal(8),
      p: z.literal(1),
    }),
    salt: base64,
  }),
  cipher: z.object({ name: z.literal('nacl/secretbox'), nonce: base64 }),
  ciphertext: base64,
});
const keyBytes = 32;
const nonceBytes = 24;

/**
 * Decrypts the body of an `ENCRYPTED SIGSTORE PRIVATE KEY` (or `ENCRYPTED COSIGN PRIVATE KEY`) PEM block: scrypt and
 * NaCl secretbox, as go-securesystemslib/encrypted has it. Gives the PKCS #8 DER.
 * Throws ERR_KEY_MALFORMED, ERR_KEY_PASSWORD.
 */
export async function decryptCosignKey(body: Uint8Array, password: string): Promise<Uint8Array> {
  const { kdf, cipher, ciphertext } = parseContainer(body);
  const nonce = Buffer.from(cipher.nonce, 'base64');
  if (nonce.length !== nonceBytes) throw malformed('its nonce does not have 24 bytes');
  const key = await deriveKey(password, Buffer.from(kdf.salt, 'base64'), kdf.params);
  try {
    return xsalsa20poly1305(key, nonce).decrypt(Buffer.from(ciphertext, 'base64'));
  } catch (error) {
    throw new AppError('ERR_KEY_PASSWORD', 'the private key cannot be decrypted with this password', {
      kind: 'permanent',
      remedy: 'Check the password that belongs to the key (cosign.password, COSIGN_PASSWORD).',
      cause: error,
    });
  }
}

function parseContainer(body: Uint8Array): z.infer<typeof container> {
  try {
    return container.parse(JSON.parse(Buffer.from(body).toString('utf8')));
  } catch {
    // The parser's own message may quote the content of a private key's file.
    throw malformed('its body is not the JSON that cosign writes');
  }
}

function deriveKey(
  password: string,
  salt: Uint8Array,
  { N, r, p }: z.infer<typeof container>['kdf']['params'],
): Promise<Buffer> {
  const maxmem = 2 * 128 * N * r;
  return new Promise((resolve, reject) => {
    scrypt(password, salt, keyBytes, { N, r, p, maxmem }, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

function malformed(why: string): AppError {
  return new AppError('ERR_KEY_MALFORMED', `the encrypted private key is malformed: ${why}`, {
    kind: 'permanent',
    remedy: 'Make the key with cosign generate-key-pair.',
  });
}
