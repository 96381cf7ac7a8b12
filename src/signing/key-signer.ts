import { createPrivateKey, createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { AppError } from '../model/errors.ts';
import { fingerprintOf } from '../model/signature.ts';
import type { Signer, SigningKey } from '../model/signature.ts';
import { decryptCosignKey } from './encrypted-key.ts';
import { hashFor, signWith } from './signature-algorithm.ts';

const maxPemLength = 64 * 1024;
const pemBlock = /-----BEGIN ([A-Z0-9 ]{1,64})-----([\s\S]*?)-----END \1-----/;
const encryptedLabels = new Set(['ENCRYPTED SIGSTORE PRIVATE KEY', 'ENCRYPTED COSIGN PRIVATE KEY']);
const plainLabels = new Set(['PRIVATE KEY', 'EC PRIVATE KEY', 'RSA PRIVATE KEY']);

/** A long-lived private key as a Secret or a file holds it. */
export interface KeyMaterial {
  /** cosign's encrypted key, or PKCS #8 (also SEC 1, PKCS #1) without encryption; PEM. */
  readonly pem: string;
  /** For an encrypted key; cosign allows the empty one. */
  readonly password?: string;
}

/**
 * A signer with one long-lived key (ECDSA P-256/384/521, RSA, Ed25519); it carries a public key and no certificate.
 * Throws ERR_KEY_MALFORMED, ERR_KEY_PASSWORD, ERR_KEY_UNSUPPORTED.
 */
export async function createKeySigner(material: KeyMaterial): Promise<Signer> {
  const key = toSigningKey(await loadPrivateKey(material));
  return { acquire: () => Promise.resolve(key) };
}

/** Parses and, where it is encrypted, decrypts a private key. Throws as {@link createKeySigner}. */
async function loadPrivateKey({ pem, password = '' }: KeyMaterial): Promise<KeyObject> {
  const [, label = '', body = ''] = pem.length > maxPemLength ? [] : (pemBlock.exec(pem) ?? []);
  if (encryptedLabels.has(label)) {
    return parseDer(await decryptCosignKey(Buffer.from(body, 'base64'), password));
  }
  if (!plainLabels.has(label)) throw malformed('it has no PEM block of a private key');
  return checkedKey(() => createPrivateKey(pem));
}

function parseDer(der: Uint8Array): KeyObject {
  return checkedKey(() => createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' }));
}

function checkedKey(parse: () => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = parse();
  } catch {
    // OpenSSL's message helps nobody, and the cause must not carry key material into a log.
    throw malformed('it cannot be parsed');
  }
  hashFor(key);
  return key;
}

function toSigningKey(privateKey: KeyObject): SigningKey {
  const spkiDer = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return {
    material: { kind: 'public-key', spkiDer },
    fingerprint: fingerprintOf(spkiDer),
    sign: (data, options) => signWith(privateKey, data, options),
  };
}

function malformed(why: string): AppError {
  return new AppError('ERR_KEY_MALFORMED', `the private key is malformed: ${why}`, {
    kind: 'permanent',
    remedy: 'Give a key made by cosign generate-key-pair, or an unencrypted PKCS #8 key in PEM.',
  });
}
