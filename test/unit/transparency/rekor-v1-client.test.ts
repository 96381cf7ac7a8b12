import { generateKeyPairSync, hash, sign } from 'node:crypto';
import { expect } from 'chai';
import { Agent, MockAgent } from 'undici';
import type { Dispatcher } from 'undici';
import { startDevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import type { DevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import { silentLog } from '../../../src/model/log.ts';
import type { Log } from '../../../src/model/log.ts';
import { parseTrustRoot, logKeysOf } from '../../../src/signing/trust-root.ts';
import { RekorV1Client } from '../../../src/transparency/rekor-v1-client.ts';
import type { LogKey } from '../../../src/transparency/log-key.ts';
import type { LogProposal } from '../../../src/transparency/transparency-log.ts';
import { codeOfRejection } from '../signing/codes.ts';
import {
  attest,
  controllerIdentity,
  openWorkshop,
  signImage,
  signal,
  systemClock,
} from '../signing/signed-evidence.ts';

interface Answer {
  body: string;
  integratedTime: number;
  logID: string;
  logIndex: number;
  verification: {
    signedEntryTimestamp: string;
    inclusionProof: {
      checkpoint: string;
      hashes: string[];
      logIndex: number;
      rootHash: string;
      treeSize: number;
    };
  };
}

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const verifierPem = publicKey.export({ format: 'pem', type: 'spki' }).toString();

function proposalOf(text: string): LogProposal {
  const payload = Buffer.from(text);
  return {
    kind: 'hashedrekord',
    payloadSha256: hash('sha256', payload),
    signature: sign('sha256', payload, privateKey),
    verifierPem,
  };
}

describe('RekorV1Client', () => {
  let sigstore: DevelopmentSigstore;
  let keys: readonly LogKey[];
  const agent = new Agent();

  before(async () => {
    sigstore = await startDevelopmentSigstore();
    keys = logKeysOf(parseTrustRoot(JSON.stringify(sigstore.trustedRoot)));
  });
  after(async () => {
    await agent.close();
    await sigstore[Symbol.asyncDispose]();
  });

  const open = (
    options: { keys?: readonly LogKey[]; log?: Log; dispatcher?: Dispatcher; url?: string } = {},
  ) =>
    new RekorV1Client({
      url: options.url ?? sigstore.rekorUrl,
      dispatcher: options.dispatcher ?? agent,
      clock: systemClock,
      keys: options.keys ?? keys,
      log: options.log ?? silentLog,
    });

  /** The code with which a genuine answer is refused after `change`. */
  const refusalOf = async (change: (answer: Answer) => void): Promise<string> => {
    const proposal = proposalOf(`to be altered ${Math.random()}`);
    const { uuid } = await open().append(proposal, { signal });
    const { body } = await agent.request({
      origin: sigstore.rekorUrl,
      path: `/api/v1/log/entries/${uuid}`,
      method: 'GET',
    });
    const answers = (await body.json()) as Record<string, Answer>;
    change(answers[uuid!]!);
    const mock = new MockAgent();
    mock.get('http://rekor').intercept({ path: '/api/v1/log/entries', method: 'POST' }).reply(201, answers);
    return codeOfRejection(open({ dispatcher: mock, url: 'http://rekor' }).append(proposal, { signal }));
  };
  const answering = (status: number, body: string | object, headers = {}) => {
    const mock = new MockAgent();
    mock
      .get('http://rekor')
      .intercept({ path: '/api/v1/log/entries', method: 'POST' })
      .reply(status, body, { headers });
    return open({ dispatcher: mock, url: 'http://rekor' }).append(proposalOf('x'), { signal });
  };

  it('logs hashes and envelopes, and gives entry, proofs and record', async () => {
    const workshop = openWorkshop(sigstore, agent);
    const image = await signImage(workshop);
    const { entry } = await attest(workshop);
    expect(image.entry.kindVersion).to.deep.equal({ kind: 'hashedrekord', version: '0.0.1' });
    expect(entry.kindVersion).to.deep.equal({ kind: 'dsse', version: '0.0.1' });
    expect(entry.inclusionProof?.checkpoint?.envelope).to.include('127.0.0.1');
    const logged = await open().getEntry({ logIndex: Number(entry.logIndex) }, { signal });
    expect(logged.entry.canonicalizedBody.equals(entry.canonicalizedBody)).to.equal(true);
    expect(logged.recorded).to.deep.equal({
      log: sigstore.rekorUrl,
      logId: keys[0]?.logId,
      logIndex: Number(entry.logIndex),
      integratedTime: Number(entry.integratedTime),
    });
  });

  it('gives the entry that is there when the same is logged twice', async () => {
    const proposal = proposalOf('twice');
    const first = await open().append(proposal, { signal });
    const second = await open().append(proposal, { signal });
    expect(second.recorded).to.deep.equal(first.recorded);
    expect(second.uuid).to.equal(first.uuid);
  });

  it('finds entries by digest of payload and subject, and by identity', async () => {
    const { payload } = await attest(openWorkshop(sigstore, agent), 'searched');
    const log = open();
    const searches = [
      { hash: `sha256:${hash('sha256', payload)}` },
      { hash: `sha256:${'a'.repeat(64)}` },
      { identity: controllerIdentity.subject },
    ];
    for (const by of searches) {
      const uuids = await log.search(by, { signal });
      expect(uuids).not.to.be.empty;
      expect(await codeOfRejection(log.getEntry({ uuid: uuids[0]! }, { signal }))).to.equal('passed');
    }
    expect(await log.search({ hash: `sha256:${'b'.repeat(64)}` }, { signal })).to.deep.equal([]);
  });

  it('finds the entry of what was proposed, by the tree alone', async () => {
    const log = open();
    const { recorded } = await log.append(proposalOf('proposed'), { signal });
    // ECDSA signs anew each time, so this is another signature.
    expect(await log.find(proposalOf('proposed'), { signal })).to.equal(undefined);
    const proposal = proposalOf('proposed again');
    const logged = await log.append(proposal, { signal });
    expect((await log.find(proposal, { signal }))?.recorded).to.deep.equal(logged.recorded);
    expect(logged.recorded.logIndex).to.be.greaterThan(recorded.logIndex);
  });

  it('pins the key that the log gives where none is configured, and warns once', async () => {
    const warnings: string[] = [];
    const log: Log = { ...silentLog, warn: (message) => warnings.push(message) };
    const client = open({ keys: [], log });
    await client.append(proposalOf('pinned'), { signal });
    await client.append(proposalOf('pinned again'), { signal });
    expect(warnings).to.have.lengthOf(1);
  });

  it('refuses an entry that is not there with ERR_LOG_ENTRY_NOT_FOUND', async () => {
    expect(await codeOfRejection(open().getEntry({ logIndex: 1_000_000 }, { signal }))).to.equal(
      'ERR_LOG_ENTRY_NOT_FOUND',
    );
  });

  it('refuses a log with an unknown key with ERR_LOG_UNTRUSTED', async () => {
    const other = [{ logId: 'ab'.repeat(32), publicKey }];
    expect(await codeOfRejection(open({ keys: other }).append(proposalOf('unknown'), { signal }))).to.equal(
      'ERR_LOG_UNTRUSTED',
    );
  });

  it('refuses a forged signed entry timestamp, time or index with ERR_LOG_SET', async () => {
    expect(await refusalOf((answer) => (answer.verification.signedEntryTimestamp = 'Zm9yZ2Vk'))).to.equal(
      'ERR_LOG_SET',
    );
    expect(await refusalOf((answer) => (answer.integratedTime += 1))).to.equal('ERR_LOG_SET');
    expect(await refusalOf((answer) => (answer.logIndex += 1))).to.equal('ERR_LOG_SET');
  });

  it('refuses a forged proof with ERR_LOG_INCLUSION_PROOF and a forged checkpoint with ERR_LOG_CHECKPOINT', async () => {
    expect(
      await refusalOf((answer) => (answer.verification.inclusionProof.hashes[0] = '00'.repeat(32))),
    ).to.equal('ERR_LOG_INCLUSION_PROOF');
    expect(await refusalOf((answer) => (answer.verification.inclusionProof.logIndex = 0))).to.equal(
      'ERR_LOG_INCLUSION_PROOF',
    );
    for (const forged of ['', 'nothing', 'rekor\n5\nAAAA\n\n\u2014 rekor AAAAAAAA\n']) {
      expect(await refusalOf((answer) => (answer.verification.inclusionProof.checkpoint = forged))).to.equal(
        'ERR_LOG_CHECKPOINT',
      );
    }
  });

  it('refuses an altered body with ERR_LOG_SET', async () => {
    expect(
      await refusalOf((answer) => {
        answer.body = Buffer.from(
          Buffer.from(answer.body, 'base64').toString().replace('0.0.1', '0.0.2'),
        ).toString('base64');
      }),
    ).to.equal('ERR_LOG_SET');
  });

  it('refuses a genuine entry about something else with ERR_LOG_FOREIGN_ENTRY', async () => {
    const { uuid } = await open().append(proposalOf('mine'), { signal });
    const { body } = await agent.request({
      origin: sigstore.rekorUrl,
      path: `/api/v1/log/entries/${uuid}`,
      method: 'GET',
    });
    expect(await codeOfRejection(answering(201, (await body.json()) as object))).to.equal(
      'ERR_LOG_FOREIGN_ENTRY',
    );
  });

  it("refuses an entry outside of its certificate's life with ERR_LOG_ENTRY_TIME", async () => {
    const late = await startDevelopmentSigstore({ now: () => new Date(Date.now() + 3_600_000) });
    try {
      expect(await codeOfRejection(signImage(openWorkshop(late, agent)))).to.equal('ERR_LOG_ENTRY_TIME');
    } finally {
      await late[Symbol.asyncDispose]();
    }
  });

  it('tells refusals that pass, ERR_LOG_UNAVAILABLE, from lasting ones, ERR_LOG_REFUSED', async () => {
    const busy: unknown = await answering(429, { message: 'slow down' }, { 'retry-after': '3' }).catch(
      (e: unknown) => e,
    );
    expect(busy).to.include({ code: 'ERR_LOG_UNAVAILABLE', kind: 'passing', retryAfterMs: 3000 });
    const bad: unknown = await answering(400, { message: 'invalid entry' }).catch((e: unknown) => e);
    expect(bad).to.include({ code: 'ERR_LOG_REFUSED', kind: 'permanent' });
    expect(bad).to.have.property('message').that.includes('invalid entry');
  });

  it('calls a log that is away ERR_LOG_UNREACHABLE, passing', async () => {
    const error: unknown = await open({ url: 'http://127.0.0.1:1' })
      .append(proposalOf('y'), { signal })
      .catch((e: unknown) => e);
    expect(error).to.include({ code: 'ERR_LOG_UNREACHABLE', kind: 'passing' });
  });

  it('refuses answers that are no entry with ERR_LOG_ANSWER', async () => {
    for (const body of ['', '{}', '[]', { nonsense: {} }, '{"a":']) {
      expect(await codeOfRejection(answering(201, body))).to.equal('ERR_LOG_ANSWER');
    }
    expect(await codeOfRejection(answering(409, 'conflict without a name'))).to.equal('ERR_LOG_ANSWER');
  });
});
