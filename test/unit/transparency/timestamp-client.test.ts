import { generateKeyPairSync, hash } from 'node:crypto';
import { initializeTSA } from '@sigstore/mock';
import { expect } from 'chai';
import { MockAgent } from 'undici';
import { createTimestampClient } from '../../../src/transparency/timestamp-client.ts';
import { signal, systemClock } from '../signing/signed-evidence.ts';

const signature = Buffer.from('signature');

describe('createTimestampClient', () => {
  const refusalOf = async (status: number, body: Buffer | string): Promise<unknown> => {
    const mock = new MockAgent();
    mock.get('http://tsa').intercept({ path: '/api/v1/timestamp', method: 'POST' }).reply(status, body);
    const url = 'http://tsa/api/v1/timestamp';
    return createTimestampClient({ url, dispatcher: mock, clock: systemClock })
      .stamp(signature, { signal })
      .then(
        () => undefined,
        (error: unknown) => error,
      );
  };
  const stampOf = async (artifactHash: Buffer): Promise<Buffer> => {
    const authority = await initializeTSA(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
    const stamp = await authority.timestamp({
      artifactHash,
      hashAlgorithmOID: '2.16.840.1.101.3.4.2.1',
      nonce: 1,
      policyOID: '1.2.3.4.1',
    });
    return Buffer.from(stamp.buffer, stamp.byteOffset, stamp.byteLength);
  };

  it('refuses a stamp for another digest with ERR_TIMESTAMP_ANSWER', async () => {
    const error = await refusalOf(201, await stampOf(hash('sha256', 'other', 'buffer')));
    expect(error).to.have.property('code', 'ERR_TIMESTAMP_ANSWER');
    expect(error).to.have.property('message').that.includes('another digest');
  });

  it('refuses an old stamp for the same digest with ERR_TIMESTAMP_ANSWER', async () => {
    const error = await refusalOf(201, await stampOf(hash('sha256', signature, 'buffer')));
    expect(error).to.have.property('code', 'ERR_TIMESTAMP_ANSWER');
    expect(error).to.have.property('message').that.includes('another request');
  });

  it('refuses what is no stamp with ERR_TIMESTAMP_ANSWER', async () => {
    for (const body of ['', 'no stamp', Buffer.from('3003020100', 'hex')]) {
      expect(await refusalOf(200, body)).to.have.property('code', 'ERR_TIMESTAMP_ANSWER');
    }
  });

  it('calls an authority that cannot answer ERR_LOG_UNAVAILABLE', async () => {
    expect(await refusalOf(503, 'busy')).to.include({ code: 'ERR_LOG_UNAVAILABLE', kind: 'passing' });
  });
});
