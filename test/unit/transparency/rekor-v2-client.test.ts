import { generateKeyPairSync, hash, sign } from 'node:crypto';
import { TransparencyLogEntry } from '@sigstore/protobuf-specs';
import { expect } from 'chai';
import { MockAgent } from 'undici';
import { proofOf, rootOf } from '../../../src/commands/development-sigstore/merkle-tree.ts';
import { hashLeaf } from '../../../src/transparency/merkle-proof.ts';
import { RekorV2Client } from '../../../src/transparency/rekor-v2-client.ts';
import { toHashEntry } from '../../../src/transparency/rekor-v2-entry.ts';
import type { LogProposal } from '../../../src/transparency/transparency-log.ts';
import { codeOf, codeOfRejection } from '../signing/codes.ts';
import { signal, systemClock } from '../signing/signed-evidence.ts';

const logKeys = generateKeyPairSync('ed25519');
const key = { logId: 'ab'.repeat(32), publicKey: logKeys.publicKey };
const signer = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const payload = Buffer.from('payload');
const proposal: LogProposal = {
  kind: 'hashedrekord',
  payloadSha256: hash('sha256', payload),
  signature: sign('sha256', payload, signer.privateKey),
  verifierPem: signer.publicKey.export({ format: 'pem', type: 'spki' }).toString(),
};

/** The entry that a genuine log would answer with, as third of five. */
function genuineEntry(): TransparencyLogEntry {
  const { digest, signature, verifier } = toHashEntry(proposal);
  const rawBytes =
    verifier.verifier?.$case === 'publicKey' ? verifier.verifier.publicKey.rawBytes : Buffer.alloc(0);
  const body = Buffer.from(
    JSON.stringify({
      apiVersion: '0.0.2',
      kind: 'hashedrekord',
      spec: {
        hashedRekordV002: {
          data: { algorithm: 'SHA2_256', digest: digest.toString('base64') },
          signature: {
            content: signature.toString('base64'),
            verifier: {
              keyDetails: 'PKIX_ECDSA_P256_SHA_256',
              publicKey: { rawBytes: rawBytes.toString('base64') },
            },
          },
        },
      },
    }),
  );
  const leaves = ['0', '1', body, '3', '4'].map((leaf) => hashLeaf(Buffer.from(leaf)));
  const rootHash = rootOf(leaves);
  const note = `rekor2\n5\n${rootHash.toString('base64')}\n`;
  const noteSignature = Buffer.concat([Buffer.alloc(4), sign(null, Buffer.from(note), logKeys.privateKey)]);
  return {
    logIndex: '2',
    logId: { keyId: Buffer.from(key.logId, 'hex') },
    kindVersion: { kind: 'hashedrekord', version: '0.0.2' },
    integratedTime: '0',
    inclusionPromise: undefined,
    inclusionProof: {
      logIndex: '2',
      rootHash,
      treeSize: '5',
      hashes: proofOf(leaves, 2),
      checkpoint: { envelope: `${note}\n\u2014 rekor2 ${noteSignature.toString('base64')}\n` },
    },
    canonicalizedBody: body,
  };
}

describe('RekorV2Client', () => {
  const answering = (status: number, body: unknown, proposed: LogProposal = proposal) => {
    const mock = new MockAgent();
    mock
      .get('http://rekor2')
      .intercept({ path: '/api/v2/log/entries', method: 'POST' })
      .reply(status, typeof body === 'string' ? body : JSON.stringify(body));
    const options = { url: 'http://rekor2', dispatcher: mock, clock: systemClock, keys: [key] };
    return new RekorV2Client(options).append(proposed, { signal });
  };
  const refusalOf = (change: (entry: TransparencyLogEntry) => void): Promise<string> => {
    const entry = genuineEntry();
    change(entry);
    return codeOfRejection(answering(201, TransparencyLogEntry.toJSON(entry)));
  };

  it('takes a genuine entry', async () => {
    const { recorded, uuid } = await answering(201, TransparencyLogEntry.toJSON(genuineEntry()));
    expect(recorded).to.deep.equal({
      log: 'http://rekor2',
      logId: key.logId,
      logIndex: 2,
      integratedTime: 0,
    });
    expect(uuid).to.equal(undefined);
  });

  it('refuses an unknown log with ERR_LOG_UNTRUSTED', async () => {
    expect(await refusalOf((entry) => (entry.logId = { keyId: Buffer.alloc(32) }))).to.equal(
      'ERR_LOG_UNTRUSTED',
    );
  });

  it('refuses a forged proof with ERR_LOG_INCLUSION_PROOF and a forged checkpoint with ERR_LOG_CHECKPOINT', async () => {
    expect(await refusalOf((entry) => (entry.inclusionProof!.hashes[0] = Buffer.alloc(32)))).to.equal(
      'ERR_LOG_INCLUSION_PROOF',
    );
    expect(
      await refusalOf((entry) => {
        const { checkpoint } = entry.inclusionProof!;
        checkpoint!.envelope = checkpoint!.envelope.replace('\n5\n', '\n6\n');
      }),
    ).to.equal('ERR_LOG_CHECKPOINT');
  });

  it('refuses a genuine entry about something else with ERR_LOG_FOREIGN_ENTRY', async () => {
    const other = { ...proposal, payloadSha256: hash('sha256', 'other') };
    const answer = answering(201, TransparencyLogEntry.toJSON(genuineEntry()), other);
    expect(await codeOfRejection(answer)).to.equal('ERR_LOG_FOREIGN_ENTRY');
  });

  it('refuses answers that are no entry, or whose indices differ, with ERR_LOG_ANSWER', async () => {
    for (const body of ['', '{}', '[]', { logIndex: '1' }]) {
      expect(await codeOfRejection(answering(201, body))).to.equal('ERR_LOG_ANSWER');
    }
    expect(await refusalOf((entry) => (entry.logIndex = '3'))).to.equal('ERR_LOG_ANSWER');
  });

  it('tells refusals that pass, ERR_LOG_UNAVAILABLE, from lasting ones, ERR_LOG_REFUSED', async () => {
    expect(await codeOfRejection(answering(503, 'busy'))).to.equal('ERR_LOG_UNAVAILABLE');
    expect(await codeOfRejection(answering(400, 'bad'))).to.equal('ERR_LOG_REFUSED');
  });

  it('logs no Ed25519 signatures, which it wants over a hash, with ERR_LOG_REFUSED', () => {
    const verifierPem = logKeys.publicKey.export({ format: 'pem', type: 'spki' }).toString();
    expect(codeOf(() => toHashEntry({ ...proposal, verifierPem }))).to.equal('ERR_LOG_REFUSED');
  });
});
