import { createHash, generateKeyPairSync, sign, verify } from 'node:crypto';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { MockAgent } from 'undici';
import { rejectionOf } from '../../registry/rejection.ts';
import { closedNetwork, findKey, openSigningKey, samplePublicKey, withVariables } from './kms-scene.ts';

const uuid = '1234abcd-12ab-34cd-56ef-1234567890ab';
const arn = `arn:aws:kms:eu-central-1:111122223333:key/${uuid}`;

describe('a key of AWS KMS', function () {
  this.timeout(120_000);
  let network: MockAgent;
  const variables = {
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_REGION: 'us-east-2',
    AWS_EC2_METADATA_DISABLED: 'true',
  };

  beforeEach(() => {
    network = closedNetwork();
  });
  afterEach(() => network.close());

  const find = (uri: string): Promise<string> => withVariables(variables, () => findKey(uri, network));
  const answers = (origin: string, status: number, body: object, KeyId?: string): void => {
    const target = 'TrentService.GetPublicKey';
    const asked = KeyId === undefined ? {} : { body: JSON.stringify({ KeyId }) };
    network
      .get(origin)
      .intercept({ path: '/', method: 'POST', headers: { 'x-amz-target': target }, ...asked })
      .reply(status, body, { headers: { 'content-type': 'application/x-amz-json-1.1' } })
      .times(2);
  };

  it('is found by id, alias and ARN, at the endpoint of the address, the ARN or the environment', async () => {
    const { pem, der } = samplePublicKey();
    const body = { KeyId: arn, PublicKey: der.toString('base64') };
    const table = [
      [`awskms:///${uuid}`, 'https://kms.us-east-2.amazonaws.com', uuid],
      ['awskms:///alias/signing', 'https://kms.us-east-2.amazonaws.com', 'alias/signing'],
      [`awskms:///${arn}`, 'https://kms.eu-central-1.amazonaws.com', arn],
      [`awskms://localhost:4566/${arn}`, 'https://localhost:4566', arn],
      ['awskms://kms.example/alias/a/b', 'https://kms.example', 'alias/a/b'],
    ] as const;
    for (const [uri, origin, keyId] of table) {
      answers(origin, 200, body, keyId);
      expect(await find(uri), uri).to.equal(pem);
    }
  });

  for (const [name, status, code] of [
    ['NotFoundException', 400, 'ERR_KMS_KEY'],
    ['DisabledException', 400, 'ERR_KMS_KEY'],
    ['AccessDeniedException', 400, 'ERR_KMS_REFUSED'],
    ['UnrecognizedClientException', 400, 'ERR_KMS_REFUSED'],
    ['KMSInternalException', 500, 'ERR_KMS_UNREACHABLE'],
  ] as const) {
    it(`is none where KMS answers ${name}: ${code}`, async () => {
      answers('https://localhost:4566', status, { __type: name, message: 'no' });
      const fault = await rejectionOf(find(`awskms://localhost:4566/${arn}`));
      expect(fault.code).to.equal(code);
    });
  }

  it('is none with ERR_KMS_KEY where the answer holds no key, and ERR_KMS_UNREACHABLE where nobody is', async () => {
    answers('https://localhost:4566', 200, { PublicKey: 'AAAA' });
    expect((await rejectionOf(find(`awskms://localhost:4566/${arn}`))).code).to.equal('ERR_KMS_KEY');
    network
      .get('https://gone.example')
      .intercept({ path: '/', method: 'POST' })
      .replyWithError(refused())
      .persist();
    const gone = await rejectionOf(find(`awskms://gone.example/${arn}`));
    expect(gone).to.include({ code: 'ERR_KMS_UNREACHABLE', kind: 'passing' });
  });

  it('has an address of its own form, else ERR_KMS_URI', async () => {
    for (const uri of [
      'awskms://',
      `awskms://${uuid}`,
      'awskms:///name',
      'awskms:///alias/',
      `awskms://a b/${uuid}`,
    ]) {
      expect((await rejectionOf(find(uri))).code, uri).to.equal('ERR_KMS_URI');
    }
  });
});

describe('a key of Google Cloud KMS', function () {
  this.timeout(120_000);
  const origin = 'https://cloudkms.googleapis.com';
  const key = 'projects/p/locations/global/keyRings/r/cryptoKeys/k';
  let network: MockAgent;
  let tokens: Server;
  let folder = '';
  let status = 200;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-google-'));
    tokens = createServer((_, response) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      const type = 'urn:ietf:params:oauth:token-type:access_token';
      const token = { access_token: 'ya29', issued_token_type: type, token_type: 'Bearer', expires_in: 60 };
      response.end(JSON.stringify(status === 200 ? token : { error: 'invalid_grant' }));
    });
    tokens.listen(0, '127.0.0.1');
    await once(tokens, 'listening');
    const { port } = tokens.address() as AddressInfo;
    await writeFile(join(folder, 'subject'), 'subject token');
    const credentials = {
      type: 'external_account',
      audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `http://127.0.0.1:${port}/token`,
      credential_source: { file: join(folder, 'subject') },
    };
    await writeFile(join(folder, 'credentials.json'), JSON.stringify(credentials));
  });
  after(async () => {
    tokens.close();
    tokens.closeAllConnections();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    network = closedNetwork();
    status = 200;
  });
  afterEach(() => network.close());

  const find = (uri: string): Promise<string> =>
    withVariables({ GOOGLE_APPLICATION_CREDENTIALS: join(folder, 'credentials.json') }, () =>
      findKey(uri, network),
    );
  const answers = (path: string, code: number, body: object): void => {
    const headers = { authorization: 'Bearer ya29' };
    network
      .get(origin)
      .intercept({ path: `/v1/${key}/${path}`, headers })
      .reply(code, body);
  };

  it('is the version that the address names', async () => {
    const { pem } = samplePublicKey('rsa');
    for (const form of ['cryptoKeyVersions', 'versions']) {
      answers('cryptoKeyVersions/3/publicKey', 200, { pem, algorithm: 'RSA_SIGN_PKCS1_2048_SHA256' });
      expect(await find(`gcpkms://${key}/${form}/3`)).to.equal(pem);
    }
  });

  it('is the newest version that is enabled', async () => {
    const { pem } = samplePublicKey();
    const name = `${key}/cryptoKeyVersions/7`;
    const query = 'filter=state%3DENABLED&orderBy=name+desc&pageSize=1';
    answers(`cryptoKeyVersions?${query}`, 200, { cryptoKeyVersions: [{ name }] });
    answers('cryptoKeyVersions/7/publicKey', 200, { pem });
    expect(await find(`gcpkms://${key}`)).to.equal(pem);
    answers(`cryptoKeyVersions?${query}`, 200, {});
    expect((await rejectionOf(find(`gcpkms://${key}`))).code).to.equal('ERR_KMS_KEY');
  });

  it('signs the digest, or the data with Ed25519', async () => {
    const data = Buffer.from('what is signed');
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const ed25519 = generateKeyPairSync('ed25519');
    const digest = { sha256: createHash('sha256').update(data).digest('base64') };
    for (const [{ privateKey, publicKey }, algorithm, asked] of [
      [ec, 'sha256', { digest }],
      [ed25519, null, { data: data.toString('base64') }],
    ] as const) {
      answers('cryptoKeyVersions/3/publicKey', 200, {
        pem: publicKey.export({ format: 'pem', type: 'spki' }),
      });
      const signature = sign(algorithm, data, privateKey).toString('base64');
      network
        .get(origin)
        .intercept({
          path: `/v1/${key}/cryptoKeyVersions/3:asymmetricSign`,
          method: 'POST',
          headers: { authorization: 'Bearer ya29' },
          body: JSON.stringify(asked),
        })
        .reply(200, { signature });
      await withVariables({ GOOGLE_APPLICATION_CREDENTIALS: join(folder, 'credentials.json') }, async () => {
        const opened = await openSigningKey(`gcpkms://${key}/versions/3`, network);
        expect(verify(algorithm, data, publicKey, await opened.sign(data))).to.equal(true);
      });
    }
  });

  it('is none where Google refuses, does not know it, or gives something else', async () => {
    for (const [code, expected] of [
      [403, 'ERR_KMS_REFUSED'],
      [404, 'ERR_KMS_KEY'],
      [503, 'ERR_KMS_UNREACHABLE'],
      [200, 'ERR_KMS_KEY'],
    ] as const) {
      answers('cryptoKeyVersions/1/publicKey', code, { pem: 'no PEM' });
      const fault = await rejectionOf(find(`gcpkms://${key}/cryptoKeyVersions/1`));
      expect(fault.code, String(code)).to.equal(expected);
    }
  });

  it('is none with ERR_KMS_REFUSED without a token, and ERR_KMS_URI for another form of address', async () => {
    status = 400;
    expect((await rejectionOf(find(`gcpkms://${key}/versions/1`))).code).to.equal('ERR_KMS_REFUSED');
    for (const uri of ['gcpkms://p', `gcpkms://${key}/1`, `gcpkms://${key}/versions/`]) {
      expect((await rejectionOf(find(uri))).code, uri).to.equal('ERR_KMS_URI');
    }
  });
});

describe('a key of Azure Key Vault', function () {
  this.timeout(120_000);
  const vault = 'https://team.vault.azure.net';
  const login = 'https://login.microsoftonline.com';
  const tenant = '00000000-0000-0000-0000-000000000001';
  const variables = { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: tenant, AZURE_CLIENT_SECRET: 'secret' };
  let network: MockAgent;

  beforeEach(() => {
    network = closedNetwork();
    loginAt(network);
  });
  const loginAt = (on: MockAgent): void => {
    const json = { headers: { 'content-type': 'application/json' } };
    const authority = `${login}/${tenant}`;
    const pool = on.get(login);
    pool
      .intercept({ path: `/${tenant}/v2.0/.well-known/openid-configuration` })
      .reply(
        200,
        {
          issuer: `${authority}/v2.0`,
          token_endpoint: `${authority}/oauth2/v2.0/token`,
          authorization_endpoint: `${authority}/oauth2/v2.0/authorize`,
          jwks_uri: `${authority}/discovery/v2.0/keys`,
        },
        json,
      )
      .persist();
    pool
      .intercept({ path: (path) => path.startsWith('/common/discovery/instance') })
      .reply(
        200,
        { tenant_discovery_endpoint: `${authority}/v2.0/.well-known/openid-configuration`, metadata: [] },
        json,
      )
      .persist();
    pool
      .intercept({ path: (path) => path.startsWith(`/${tenant}/oauth2/v2.0/token`), method: 'POST' })
      .reply(200, { token_type: 'Bearer', expires_in: 3600, access_token: 'eyJ' }, json)
      .persist();
  };
  afterEach(() => network.close());

  const find = (uri: string): Promise<string> => withVariables(variables, () => findKey(uri, network));
  const answers = (path: string, status: number, body: object): void => {
    const pool = network.get(vault);
    const challenge = `Bearer authorization="${login}/${tenant}", resource="https://vault.azure.net"`;
    const isAsked = (asked: string): boolean => asked.startsWith(`${path}?api-version=`);
    pool
      .intercept({ path: isAsked, headers: (headers) => headers['authorization'] === undefined })
      .reply(401, {}, { headers: { 'www-authenticate': challenge } });
    pool
      .intercept({ path: isAsked, headers: { authorization: 'Bearer eyJ' } })
      .reply(status, body, { headers: { 'content-type': 'application/json' } });
  };
  const jwkOf = (key: ReturnType<typeof samplePublicKey>, kty: string): object => ({
    key: { ...key.key.export({ format: 'jwk' }), kty, kid: `${vault}/keys/signing/1` },
    attributes: { enabled: true },
  });

  it('is the latest version or the one that the address names, also of an HSM', async () => {
    const [ec, rsa] = [samplePublicKey(), samplePublicKey('rsa')];
    answers('/keys/signing/', 200, jwkOf(ec, 'EC'));
    expect(await find('azurekms://team.vault.azure.net/signing')).to.equal(ec.pem);
    answers('/keys/signing/0123abcd', 200, jwkOf(rsa, 'RSA-HSM'));
    expect(await find('azurekms://team.vault.azure.net/signing/0123abcd')).to.equal(rsa.pem);
    answers('/keys/signing/', 200, jwkOf(ec, 'EC-HSM'));
    expect(await find('azurekms://team.vault.azure.net/signing/')).to.equal(ec.pem);
  });

  it('signs the digest; both numbers of ECDSA become DER', async () => {
    const data = Buffer.from('what is signed');
    for (const curve of ['P-256', 'P-521']) {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: curve });
      const algorithm = curve === 'P-256' ? 'sha256' : 'sha512';
      const asJwk = jwkOf({ key: publicKey, pem: '', der: Buffer.alloc(0) }, 'EC');
      answers('/keys/signing/1', 200, asJwk);
      const raw = sign(algorithm, data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      const pool = network.get(vault);
      const json = { headers: { 'content-type': 'application/json' } };
      const isAsked = (path: string): boolean => path.startsWith('/keys/signing/1?');
      pool.intercept({ path: isAsked }).reply(200, asJwk, json).persist();
      const challenge = `Bearer authorization="${login}/${tenant}", resource="https://vault.azure.net"`;
      const signing = { path: (path: string) => path.startsWith('/keys/signing/1/sign?'), method: 'POST' };
      pool
        .intercept({ ...signing, headers: (headers) => headers['authorization'] === undefined })
        .reply(401, {}, { headers: { 'www-authenticate': challenge } });
      const value = createHash(algorithm).update(data).digest('base64url');
      pool
        .intercept({
          ...signing,
          headers: { authorization: 'Bearer eyJ' },
          body: (text) => text === JSON.stringify({ alg: curve === 'P-256' ? 'ES256' : 'ES512', value }),
        })
        .reply(200, { kid: `${vault}/keys/signing/1`, value: raw.toString('base64url') }, json);
      await withVariables(variables, async () => {
        const opened = await openSigningKey('azurekms://team.vault.azure.net/signing/1', network);
        expect(verify(algorithm, data, publicKey, await opened.sign(data))).to.equal(true);
      });
      await network.close();
      network = closedNetwork();
      loginAt(network);
    }
  });

  it('is none where Azure refuses, does not know it, or gives something else', async () => {
    for (const [status, code] of [
      [403, 'ERR_KMS_REFUSED'],
      [404, 'ERR_KMS_KEY'],
      [200, 'ERR_KMS_KEY'],
    ] as const) {
      answers('/keys/signing/1', status, { key: { kty: 'oct', kid: `${vault}/keys/signing/1` } });
      const fault = await rejectionOf(find('azurekms://team.vault.azure.net/signing/1'));
      expect(fault.code, String(status)).to.equal(code);
    }
  });

  it('has an address of its own form, else ERR_KMS_URI', async () => {
    for (const uri of ['azurekms://team', 'azurekms://a/b/c/d', 'azurekms://a b/c', 'azurekms:///a']) {
      expect((await rejectionOf(find(uri))).code, uri).to.equal('ERR_KMS_URI');
    }
  });
});

function refused(): Error {
  return Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
}
