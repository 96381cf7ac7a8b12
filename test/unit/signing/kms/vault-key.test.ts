import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { MockAgent } from 'undici';
import { isAppError } from '../../../../src/model/errors.ts';
import { rejectionOf } from '../../registry/rejection.ts';
import { closedNetwork, findKey, samplePublicKey } from './kms-scene.ts';

const origin = 'https://vault.example:8200';
const environment = { VAULT_ADDR: origin, VAULT_TOKEN: 's.token' };

describe('a key of Vault', () => {
  let network: MockAgent;

  beforeEach(() => {
    network = closedNetwork();
  });
  afterEach(() => network.close());

  /** As documented for `GET /transit/keys/:name`. */
  const answer = (name: string, ...keys: readonly string[]): object => ({
    data: {
      type: name,
      latest_version: keys.length,
      keys: Object.fromEntries(keys.map((key, index) => [String(index + 1), { name, public_key: key }])),
    },
  });
  const reply = (body: object | string, status = 200, path = '/v1/transit/keys/cosign'): void => {
    network.get(origin).intercept({ path }).reply(status, body);
  };

  it('is its latest version', async () => {
    const [older, newer] = [samplePublicKey(), samplePublicKey()];
    reply(answer('ecdsa-p256', older.pem, newer.pem));
    expect(await findKey('hashivault://cosign', network, { environment })).to.equal(newer.pem);
  });

  it('is read from 32 bytes in base64 if it is Ed25519', async () => {
    const { pem, der } = samplePublicKey('ed25519');
    reply(answer('ed25519', der.subarray(-32).toString('base64')));
    expect(await findKey('hashivault://cosign', network, { environment })).to.equal(pem);
  });

  it('is asked for with token, namespace and engine of the environment', async () => {
    const { pem } = samplePublicKey();
    const headers = { 'x-vault-token': 's.token', 'x-vault-namespace': 'team' };
    network
      .get(origin)
      .intercept({ path: '/base/v1/kms/signing/keys/a-b.c', headers })
      .reply(200, answer('ecdsa-p256', pem));
    const more = {
      VAULT_ADDR: `${origin}/base`,
      VAULT_NAMESPACE: 'team',
      TRANSIT_SECRET_ENGINE_PATH: '/kms/signing',
    };
    const found = await findKey('hashivault://a-b.c', network, { environment: { ...environment, ...more } });
    expect(found).to.equal(pem);
  });

  it('is asked for with the token of ~/.vault-token, and without any refused with ERR_KMS_REFUSED', async () => {
    const HOME = await mkdtemp(join(tmpdir(), 'chainwright-vault-'));
    try {
      const lone = { VAULT_ADDR: origin, HOME };
      const fault = await rejectionOf(findKey('hashivault://cosign', network, { environment: lone }));
      expect(fault.code).to.equal('ERR_KMS_REFUSED');
      await writeFile(join(HOME, '.vault-token'), 's.file\n');
      const { pem } = samplePublicKey();
      network
        .get(origin)
        .intercept({ path: '/v1/transit/keys/cosign', headers: { 'x-vault-token': 's.file' } })
        .reply(200, answer('ecdsa-p256', pem));
      expect(await findKey('hashivault://cosign', network, { environment: lone })).to.equal(pem);
    } finally {
      await rm(HOME, { recursive: true });
    }
  });

  for (const [status, code, kind] of [
    [403, 'ERR_KMS_REFUSED', 'passing'],
    [404, 'ERR_KMS_KEY', 'permanent'],
    [503, 'ERR_KMS_UNREACHABLE', 'passing'],
  ] as const) {
    it(`is none where Vault answers ${status}: ${code}`, async () => {
      reply({ errors: ['no'] }, status);
      const fault = await rejectionOf(findKey('hashivault://cosign', network, { environment }));
      expect(fault).to.include({ code, kind });
      expect(fault.message).not.to.include('s.token');
    });
  }

  it('is none with ERR_KMS_KEY where the answer holds no public key', async () => {
    const answers = [{}, 'text', { data: { latest_version: 2, keys: {} } }, answer('aes256', 'no PEM')];
    for (const body of answers) {
      reply(body);
      const { code } = await rejectionOf(findKey('hashivault://cosign', network, { environment }));
      expect(code).to.equal('ERR_KMS_KEY');
    }
  });

  it('is none with ERR_KMS_UNREACHABLE where the answer is too long, or nobody answers in time', async () => {
    reply('x'.repeat(2 * 1024 * 1024));
    const long = await rejectionOf(findKey('hashivault://cosign', network, { environment }));
    expect(long.code).to.equal('ERR_KMS_UNREACHABLE');
    network.get(origin).intercept({ path: '/v1/transit/keys/cosign' }).reply(200, {}).delay(1000);
    const late = await rejectionOf(findKey('hashivault://cosign', network, { environment, deadlineMs: 20 }));
    expect(late).to.include({ code: 'ERR_KMS_UNREACHABLE', kind: 'passing' });
  });

  it('has an address of its own form, else ERR_KMS_URI, and a server, else ERR_KMS_REFUSED', async () => {
    for (const uri of ['hashivault://', 'hashivault://a/b', 'hashivault://../sys', 'vault://a', 'a']) {
      const { code } = await rejectionOf(findKey(uri, network, { environment }));
      expect(code, uri).to.equal('ERR_KMS_URI');
    }
    for (const VAULT_ADDR of ['', 'unix:///var/run/vault', 'vault:8200']) {
      const fault = await rejectionOf(
        findKey('hashivault://a', network, { environment: { ...environment, VAULT_ADDR } }),
      );
      expect(fault.code, VAULT_ADDR).to.equal('ERR_KMS_REFUSED');
    }
  });

  it("throws the caller's own reason when it is aborted", async () => {
    const { openKmsKeys } = await import('../../../../src/signing/kms/kms-keys.ts');
    const reason = new Error('enough');
    const keys = openKmsKeys({ dispatcher: network, environment });
    const thrown: unknown = await keys
      .find('hashivault://cosign', { signal: AbortSignal.abort(reason) })
      .catch((error: unknown) => error);
    expect(thrown).to.equal(reason);
    expect(isAppError(thrown)).to.equal(false);
  });
});
