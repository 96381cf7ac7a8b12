import { constants, createHash, generateKeyPairSync, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { expect } from 'chai';
import type { MockAgent } from 'undici';
import { codeOfRejection } from '../codes.ts';
import { closedNetwork, openSigningKey, withVariables } from './kms-scene.ts';

const data = Buffer.from('what is signed');
const arn = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const uri = `awskms://localhost:4566/${arn}`;
const variables = {
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_REGION: 'us-east-2',
  AWS_EC2_METADATA_DISABLED: 'true',
};
const vault = { VAULT_ADDR: 'https://vault.example:8200', VAULT_TOKEN: 's.token' };
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed25519 = generateKeyPairSync('ed25519');
const digest = (algorithm: string): string => createHash(algorithm).update(data).digest('base64');
const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };

describe('signing with a key in a KMS', function () {
  this.timeout(120_000);
  let network: MockAgent;
  beforeEach(() => {
    network = closedNetwork();
  });
  afterEach(() => network.close());

  /** As AWS documents GetPublicKey and Sign. */
  const aws = ({ publicKey }: { readonly publicKey: KeyObject }, asked: object, signature: Buffer): void => {
    const type = { headers: { 'content-type': 'application/x-amz-json-1.1' } };
    const PublicKey = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
    const target = (name: string) => ({ 'x-amz-target': `TrentService.${name}` });
    const pool = network.get('https://localhost:4566');
    const at = { path: '/', method: 'POST' };
    pool.intercept({ ...at, headers: target('GetPublicKey') }).reply(200, { PublicKey }, type);
    pool
      .intercept({
        ...at,
        headers: target('Sign'),
        body: (text) => isSame(JSON.parse(text), { KeyId: arn, ...asked }),
      })
      .reply(200, { Signature: signature.toString('base64') }, type);
  };

  it('asks AWS for a signature over the digest, by the algorithm of the key', async () => {
    const cases = [
      [
        p256,
        { Message: digest('sha256'), MessageType: 'DIGEST', SigningAlgorithm: 'ECDSA_SHA_256' },
        'sha256',
        {},
      ],
      [
        p384,
        { Message: digest('sha384'), MessageType: 'DIGEST', SigningAlgorithm: 'ECDSA_SHA_384' },
        'sha384',
        {},
      ],
      [
        rsa,
        { Message: digest('sha256'), MessageType: 'DIGEST', SigningAlgorithm: 'RSASSA_PKCS1_V1_5_SHA_256' },
        'sha256',
        {},
      ],
      [
        rsa,
        { Message: digest('sha256'), MessageType: 'DIGEST', SigningAlgorithm: 'RSASSA_PSS_SHA_256' },
        'sha256',
        pss,
      ],
    ] as const;
    for (const [keys, asked, algorithm, padding] of cases) {
      const made = sign(algorithm, data, { key: keys.privateKey, ...padding });
      aws(keys, asked, made);
      await withVariables(variables, async () => {
        const key = await openSigningKey(uri, network);
        const signature = await key.sign(data, padding === pss ? { padding: 'pss' } : {});
        expect(verify(algorithm, data, { key: keys.publicKey, ...padding }, signature)).to.equal(true);
      });
    }
  });

  it('refuses a signature that does not verify with ERR_KMS_KEY', async () => {
    const made = sign('sha256', Buffer.from('another'), p256.privateKey);
    aws(p256, { Message: digest('sha256'), MessageType: 'DIGEST', SigningAlgorithm: 'ECDSA_SHA_256' }, made);
    await withVariables(variables, async () => {
      const key = await openSigningKey(uri, network);
      expect(await codeOfRejection(key.sign(data))).to.equal('ERR_KMS_KEY');
    });
  });

  /** As Vault documents `POST /transit/sign/:name(/:hash_algorithm)`. */
  const answerOfVault = (publicKey: string, path: string, asked: object, signature: Buffer): void => {
    const pool = network.get(vault.VAULT_ADDR);
    const keys = {
      '1': { name: 'old', public_key: publicKey },
      '3': { name: path.endsWith('256') ? 'key' : 'ed25519', public_key: publicKey },
    };
    pool.intercept({ path: '/v1/transit/keys/cosign' }).reply(200, { data: { latest_version: 3, keys } });
    pool
      .intercept({
        path,
        method: 'POST',
        headers: { 'x-vault-token': 's.token' },
        body: (text) => isSame(JSON.parse(text), { key_version: 3, marshaling_algorithm: 'asn1', ...asked }),
      })
      .reply(200, { data: { signature: `vault:v3:${signature.toString('base64')}` } });
  };

  it('asks Vault for a signature by the version whose public half was read', async () => {
    const pem = (key: KeyObject): string => key.export({ format: 'pem', type: 'spki' }).toString();
    const input = digest('sha256');
    const path = '/v1/transit/sign/cosign/sha2-256';
    answerOfVault(
      pem(p256.publicKey),
      path,
      { input, prehashed: true },
      sign('sha256', data, p256.privateKey),
    );
    const ec = await openSigningKey('hashivault://cosign', network, vault);
    expect(verify('sha256', data, p256.publicKey, await ec.sign(data))).to.equal(true);
    const made = sign('sha256', data, { key: rsa.privateKey, ...pss });
    const asked = { input, prehashed: true, signature_algorithm: 'pss', salt_length: 'hash' };
    answerOfVault(pem(rsa.publicKey), path, asked, made);
    const key = await openSigningKey('hashivault://cosign', network, vault);
    expect(await key.sign(data, { padding: 'pss' })).to.deep.equal(made);
  });

  it('gives Vault the data itself for Ed25519', async () => {
    const raw = ed25519.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64');
    const asked = { input: data.toString('base64'), prehashed: false };
    answerOfVault(raw, '/v1/transit/sign/cosign', asked, sign(null, data, ed25519.privateKey));
    const key = await openSigningKey('hashivault://cosign', network, vault);
    expect(verify(null, data, ed25519.publicKey, await key.sign(data, { hash: 'sha256' }))).to.equal(true);
  });

  it('tells what Vault refuses as ERR_KMS_REFUSED', async () => {
    const pem = p256.publicKey.export({ format: 'pem', type: 'spki' }).toString();
    const pool = network.get(vault.VAULT_ADDR);
    const keys = { '1': { name: 'key', public_key: pem } };
    pool.intercept({ path: '/v1/transit/keys/cosign' }).reply(200, { data: { latest_version: 1, keys } });
    pool
      .intercept({ path: '/v1/transit/sign/cosign/sha2-256', method: 'POST' })
      .reply(403, { errors: ['denied'] });
    const key = await openSigningKey('hashivault://cosign', network, vault);
    expect(await codeOfRejection(key.sign(data))).to.equal('ERR_KMS_REFUSED');
  });

  it('refuses an address that is none with ERR_KMS_URI', async () => {
    expect(await codeOfRejection(openSigningKey('hashivault://a/b', network))).to.equal('ERR_KMS_URI');
  });
});

/** True if a request says all that it must. */
function isSame(found: unknown, wanted: object): boolean {
  const members = found as Readonly<Record<string, unknown>>;
  return Object.entries(wanted).every(([name, value]) => members[name] === value);
}
