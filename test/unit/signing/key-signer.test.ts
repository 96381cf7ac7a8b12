import { createPublicKey, generateKeyPairSync, randomBytes, scryptSync, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js';
import { expect } from 'chai';
import { createKeySigner } from '../../../src/signing/key-signer.ts';
import { isSignatureValid } from '../../../src/signing/signature-algorithm.ts';
import { codeOfRejection } from './codes.ts';
import { signal } from './signed-evidence.ts';

const data = Buffer.from('payload');

function encrypt(key: KeyObject, password: string, change: object = {}): string {
  const salt = randomBytes(32);
  const nonce = randomBytes(24);
  const params = { N: 32_768, r: 8, p: 1 };
  const secret = scryptSync(password, salt, 32, { ...params, maxmem: 256 * 32_768 * 8 });
  const plain = key.export({ format: 'der', type: 'pkcs8' });
  const body = JSON.stringify({
    kdf: { name: 'scrypt', params: { ...params, ...change }, salt: salt.toString('base64') },
    cipher: { name: 'nacl/secretbox', nonce: nonce.toString('base64') },
    ciphertext: Buffer.from(xsalsa20poly1305(secret, nonce).encrypt(plain)).toString('base64'),
  });
  const lines = Buffer.from(body)
    .toString('base64')
    .match(/.{1,64}/g)!
    .join('\n');
  return `-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n${lines}\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n`;
}

const pemOf = (key: KeyObject): string => key.export({ format: 'pem', type: 'pkcs8' }).toString();

describe('createKeySigner', () => {
  it("signs with cosign's hash for each kind of key", async () => {
    const keys: [KeyObject, string | null][] = [
      [generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'sha256'],
      [generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey, 'sha384'],
      [generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey, 'sha512'],
      [generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, 'sha256'],
      [generateKeyPairSync('ed25519').privateKey, null],
    ];
    for (const [privateKey, hash] of keys) {
      const signer = await createKeySigner({ pem: pemOf(privateKey) });
      const key = await signer.acquire({ signal });
      const signature = await key.sign(data);
      const publicKey = createPublicKey(privateKey);
      expect(verify(hash, data, publicKey, signature)).to.equal(true);
      expect(isSignatureValid(publicKey, data, signature)).to.equal(true);
      expect(isSignatureValid(publicKey, Buffer.from('other'), signature)).to.equal(false);
      expect(key.notAfter).to.equal(undefined);
    }
  });

  it('signs with the hash that is asked for, which Ed25519 does not take', async () => {
    for (const [privateKey, hash] of [
      [generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey, 'sha256'],
      [generateKeyPairSync('ed25519').privateKey, null],
    ] as const) {
      const key = await (await createKeySigner({ pem: pemOf(privateKey) })).acquire({ signal });
      const signature = await key.sign(data, { hash: 'sha256' });
      expect(verify(hash, data, createPublicKey(privateKey), signature)).to.equal(true);
    }
  });

  it('decrypts the key that cosign writes', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const signer = await createKeySigner({ pem: encrypt(privateKey, 'geheim'), password: 'geheim' });
    const key = await signer.acquire({ signal });
    expect(verify('sha256', data, publicKey, await key.sign(data))).to.equal(true);
  });

  it('refuses a wrong password with ERR_KEY_PASSWORD', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const material = { pem: encrypt(privateKey, 'right'), password: 'wrong' };
    expect(await codeOfRejection(createKeySigner(material))).to.equal('ERR_KEY_PASSWORD');
  });

  it('refuses costs that would exhaust memory with ERR_KEY_MALFORMED', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    for (const change of [{ N: 2 ** 30 }, { r: 4096 }, { p: 100 }]) {
      const material = { pem: encrypt(privateKey, '', change) };
      expect(await codeOfRejection(createKeySigner(material))).to.equal('ERR_KEY_MALFORMED');
    }
  });

  it('refuses what holds no private key with ERR_KEY_MALFORMED', async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const publicPem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
    const broken = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';
    for (const pem of ['', 'no pem', publicPem, broken]) {
      expect(await codeOfRejection(createKeySigner({ pem }))).to.equal('ERR_KEY_MALFORMED');
    }
  });

  it('refuses weak and unusual keys with ERR_KEY_UNSUPPORTED', async () => {
    const keys = [
      generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey,
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey,
      generateKeyPairSync('x25519').privateKey,
    ];
    for (const key of keys) {
      expect(await codeOfRejection(createKeySigner({ pem: pemOf(key) }))).to.equal('ERR_KEY_UNSUPPORTED');
    }
  });
});
