import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { expect } from 'chai';
import { Agent, MockAgent } from 'undici';
import { startDevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import type { DevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import { AppError, isAppError } from '../../../src/model/errors.ts';
import type { SigningKey } from '../../../src/model/signature.ts';
import { createFulcioClient } from '../../../src/signing/fulcio-client.ts';
import type { FulcioClient } from '../../../src/signing/fulcio-client.ts';
import { createRequestTokenSource } from '../../../src/signing/identity-token.ts';
import { KeylessSigner } from '../../../src/signing/keyless-signer.ts';
import { codeOfRejection } from './codes.ts';
import { signal, systemClock } from './signed-evidence.ts';

describe('KeylessSigner', () => {
  let sigstore: DevelopmentSigstore;
  const agent = new Agent();

  before(async () => {
    sigstore = await startDevelopmentSigstore();
  });
  after(async () => {
    await agent.close();
    await sigstore[Symbol.asyncDispose]();
  });

  const open = (options: { now?: () => Date; wrap?: (fulcio: FulcioClient) => FulcioClient } = {}) => {
    const real = createFulcioClient({ url: sigstore.fulcioUrl, dispatcher: agent, clock: systemClock });
    const fulcio = options.wrap?.(real) ?? real;
    const clock = { ...systemClock, now: options.now ?? (() => new Date()) };
    const tokens = createRequestTokenSource(() => sigstore.issueToken(), systemClock);
    return new KeylessSigner({ fulcio, tokens, clock });
  };
  const counting = () => {
    const count = { issued: 0 };
    const wrap = (fulcio: FulcioClient): FulcioClient => ({
      issue: (ask, options) => {
        count.issued += 1;
        return fulcio.issue(ask, options);
      },
    });
    return { count, wrap };
  };

  it('signs with the key that its certificate names', async () => {
    const key = await open().acquire({ signal });
    const data = Buffer.from('payload');
    const signature = await key.sign(data);
    expect(verify('sha256', data, publicKeyOf(key), signature)).to.equal(true);
  });

  it('shares one certificate between calls at the same time and later ones', async () => {
    const { count, wrap } = counting();
    const signer = open({ wrap });
    const keys = await Promise.all(Array.from({ length: 20 }, () => signer.acquire({ signal })));
    keys.push(await signer.acquire({ signal }));
    expect(new Set(keys).size).to.equal(1);
    expect(count.issued).to.equal(1);
  });

  it('fetches a new certificate a minute before the end of the old one', async () => {
    let now = new Date();
    const { count, wrap } = counting();
    const signer = open({ now: () => now, wrap });
    const first = await signer.acquire({ signal });
    now = new Date(first.notAfter!.getTime() - 61_000);
    expect(await signer.acquire({ signal })).to.equal(first);
    now = new Date(first.notAfter!.getTime() - 59_000);
    expect(await signer.acquire({ signal })).not.to.equal(first);
    expect(count.issued).to.equal(2);
  });

  it('refuses to sign after the end of the certificate with ERR_SIGN_KEY_EXPIRED', async () => {
    let now = new Date();
    const key = await open({ now: () => now }).acquire({ signal });
    now = new Date(key.notAfter!.getTime() + 1);
    expect(await codeOfRejection(key.sign(Buffer.from('late')))).to.equal('ERR_SIGN_KEY_EXPIRED');
  });

  it('does not keep a failed fetch', async () => {
    let fails = true;
    const wrap = (fulcio: FulcioClient): FulcioClient => ({
      issue: (ask, options) => {
        if (!fails) return fulcio.issue(ask, options);
        return Promise.reject(new AppError('ERR_FULCIO_UNREACHABLE', 'away', { kind: 'passing' }));
      },
    });
    const signer = open({ wrap });
    expect(await codeOfRejection(signer.acquire({ signal }))).to.equal('ERR_FULCIO_UNREACHABLE');
    fails = false;
    expect(await codeOfRejection(signer.acquire({ signal }))).to.equal('passed');
  });

  it('lets one caller go without the others losing their certificate', async () => {
    const { count, wrap } = counting();
    const signer = open({ wrap });
    const impatient = new AbortController();
    const gone = signer.acquire({ signal: impatient.signal }).catch((error: unknown) => error);
    const patient = signer.acquire({ signal });
    impatient.abort(new Error('enough'));
    expect(await gone).to.have.property('message', 'enough');
    expect((await patient).material.kind).to.equal('certificate');
    expect(count.issued).to.equal(1);
  });

  it('ends the fetch when its last caller goes', async () => {
    const signals: AbortSignal[] = [];
    const wrap = (): FulcioClient => ({
      issue: (_ask, options) => {
        signals.push(options.signal);
        return new Promise((_resolve, reject) => {
          options.signal.addEventListener('abort', () => {
            reject(options.signal.reason as Error);
          });
        });
      },
    });
    const abort = new AbortController();
    const acquiring = open({ wrap })
      .acquire({ signal: abort.signal })
      .catch(() => 'gone');
    while (signals.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    abort.abort();
    expect(await acquiring).to.equal('gone');
    expect(signals[0]?.aborted).to.equal(true);
  });
});

describe('createFulcioClient', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const token = `e30.${Buffer.from(JSON.stringify({ iss: 'i', sub: 's' })).toString('base64url')}.eyJzaWciOiJzIn0`;
  const answering = (status: number, body: string | object, headers = {}) => {
    const mock = new MockAgent();
    mock.disableNetConnect();
    mock
      .get('http://fulcio')
      .intercept({ path: '/api/v2/signingCert', method: 'POST' })
      .reply(status, body, { headers });
    const client = createFulcioClient({ url: 'http://fulcio', dispatcher: mock, clock: systemClock });
    return client.issue({ token, privateKey, publicKey }, { signal });
  };

  it('says what to check when the token is refused, with ERR_FULCIO_TOKEN_REFUSED and without the token', async () => {
    for (const status of [400, 401]) {
      const error: unknown = await answering(status, { message: `bad token ${token} eyJhbGciOi.x.y` }).catch(
        (e: unknown) => e,
      );
      if (!isAppError(error)) throw new Error('nothing was refused');
      expect(error).to.include({ code: 'ERR_FULCIO_TOKEN_REFUSED', kind: 'passing' });
      expect(error.remedy).to.include('audience is sigstore');
      expect(error.message).not.to.match(/eyJ/);
    }
  });

  it('waits as long as Fulcio asks after ERR_FULCIO_REFUSED, which no run is to blame for', async () => {
    const busy: unknown = await answering(503, 'busy', { 'retry-after': '7' }).catch((e: unknown) => e);
    expect(busy).to.include({ code: 'ERR_FULCIO_REFUSED', kind: 'passing', retryAfterMs: 7000 });
    const wrong: unknown = await answering(404, '<html>').catch((e: unknown) => e);
    expect(wrong).to.include({ code: 'ERR_FULCIO_REFUSED', kind: 'passing' });
  });

  it('refuses answers that are no certificate with ERR_FULCIO_ANSWER', async () => {
    const chainOf = (...certificates: string[]) => ({
      signedCertificateEmbeddedSct: { chain: { certificates } },
    });
    for (const body of ['', '{}', chainOf(), chainOf('no certificate')]) {
      expect(await codeOfRejection(answering(201, body))).to.equal('ERR_FULCIO_ANSWER');
    }
    expect(await codeOfRejection(answering(201, 'x'.repeat(2_000_000)))).to.equal('ERR_FULCIO_ANSWER');
  });

  it("refuses another key's certificate with ERR_FULCIO_ANSWER", async () => {
    const sigstore = await startDevelopmentSigstore();
    const agent = new Agent();
    try {
      const real = createFulcioClient({ url: sigstore.fulcioUrl, dispatcher: agent, clock: systemClock });
      const { chainDer } = await real.issue(
        { token: await sigstore.issueToken(), privateKey, publicKey },
        { signal },
      );
      const pem = `-----BEGIN CERTIFICATE-----\n${Buffer.from(chainDer[0]).toString('base64')}\n-----END CERTIFICATE-----\n`;
      const body = { signedCertificateEmbeddedSct: { chain: { certificates: [pem] } } };
      expect(await codeOfRejection(answering(201, body))).to.equal('passed');
      const mock = new MockAgent();
      mock.get('http://fulcio').intercept({ path: '/api/v2/signingCert', method: 'POST' }).reply(201, body);
      const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const client = createFulcioClient({ url: 'http://fulcio', dispatcher: mock, clock: systemClock });
      expect(await codeOfRejection(client.issue({ token, ...other }, { signal }))).to.equal(
        'ERR_FULCIO_ANSWER',
      );
    } finally {
      await agent.close();
      await sigstore[Symbol.asyncDispose]();
    }
  });

  it('calls a server that is away ERR_FULCIO_UNREACHABLE, passing', async () => {
    const agent = new Agent();
    const client = createFulcioClient({ url: 'http://127.0.0.1:1', dispatcher: agent, clock: systemClock });
    const error: unknown = await client
      .issue({ token, privateKey, publicKey }, { signal })
      .catch((e: unknown) => e);
    expect(error).to.include({ code: 'ERR_FULCIO_UNREACHABLE', kind: 'passing' });
    await agent.close();
  });
});

function publicKeyOf(key: SigningKey) {
  if (key.material.kind !== 'certificate') throw new Error('no certificate');
  const pem = `-----BEGIN CERTIFICATE-----\n${Buffer.from(key.material.chainDer[0]).toString('base64')}\n-----END CERTIFICATE-----\n`;
  return createPublicKey(pem);
}
