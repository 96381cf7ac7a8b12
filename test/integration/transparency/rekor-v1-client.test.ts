import { generateKeyPairSync, hash, randomUUID, sign } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Agent } from 'undici';
import { run } from '../../../hack/stack/process/run.ts';
import { openStack } from '../../../hack/stack/stack.ts';
import type { Stack } from '../../../hack/stack/stack.ts';
import { silentLog } from '../../../src/model/log.ts';
import { loadTrustRoot, logKeysOf } from '../../../src/signing/trust-root.ts';
import { encodeEnvelope, inTotoPayloadType, preAuthEncoding } from '../../../src/statements/dsse.ts';
import type { LogKey } from '../../../src/transparency/log-key.ts';
import { RekorV1Client } from '../../../src/transparency/rekor-v1-client.ts';
import type { LogProposal } from '../../../src/transparency/transparency-log.ts';
import { waitFor } from '../../support/waiting.ts';
import { codeOfRejection } from '../../unit/signing/codes.ts';
import { signal, systemClock } from '../../unit/signing/signed-evidence.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const verifierPem = publicKey.export({ format: 'pem', type: 'spki' }).toString();

/** A statement about a subject that nobody else has, as a dsse proposal. */
function proposeStatement(subjectHex: string): LogProposal {
  const payload = Buffer.from(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v0.1',
      subject: [{ name: 'lab', digest: { sha256: subjectHex } }],
      predicateType: 'https://slsa.dev/provenance/v0.2',
      predicate: {},
    }),
  );
  const sig = sign('sha256', preAuthEncoding(inTotoPayloadType, payload), privateKey);
  const envelope = encodeEnvelope({
    payloadType: inTotoPayloadType,
    payload,
    signatures: [{ keyid: '', sig }],
  });
  return { kind: 'dsse', envelope: envelope.toString('utf8'), verifierPem };
}

describe('RekorV1Client against the real Rekor', () => {
  const agent = new Agent();
  let stack: Stack;
  let keys: readonly LogKey[];
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rekor-'));
    stack = await openStack();
    keys = logKeysOf(await loadTrustRoot(stack.trustedRoot, { signal }));
  });
  after(async () => {
    await agent.close();
    await rm(folder, { recursive: true });
  });

  const open = (trusted: readonly LogKey[]) =>
    new RekorV1Client({
      url: stack.rekorUrl,
      dispatcher: agent,
      clock: systemClock,
      keys: trusted,
      log: silentLog,
    });
  const rekorCli = (...args: string[]): Promise<string> =>
    run(join(stack.bin, 'rekor-cli'), [...args, '--rekor_server', stack.rekorUrl], {
      env: { ...stack.env, HOME: folder },
    });

  it('logs an envelope that rekor-cli gets by index and finds by the digest of its subject', async () => {
    const subject = hash('sha256', randomUUID());
    const { recorded, uuid = 'none' } = await open(keys).append(proposeStatement(subject), { signal });
    expect(await rekorCli('get', '--log-index', String(recorded.logIndex))).to.include(uuid);
    // Rekor writes its index after it has answered.
    const searching = async (): Promise<string | undefined> => {
      const printed = await rekorCli('search', '--sha', `sha256:${subject}`);
      return printed.includes(uuid) ? printed : undefined;
    };
    await waitFor(searching, { what: 'the entry being in the index', timeoutMs: 60_000 });
    expect(await open(keys).search({ hash: `sha256:${subject}` }, { signal })).to.deep.equal([uuid]);
  });

  it('gives the same entry when the same is logged twice, also with a pinned key', async () => {
    const payload = Buffer.from(randomUUID());
    const proposal: LogProposal = {
      kind: 'hashedrekord',
      payloadSha256: hash('sha256', payload),
      signature: sign('sha256', payload, privateKey),
      verifierPem,
    };
    const first = await open(keys).append(proposal, { signal });
    const second = await open([]).append(proposal, { signal });
    expect(second.recorded).to.deep.equal(first.recorded);
    const found = await open(keys).getEntry({ logIndex: first.recorded.logIndex }, { signal });
    expect(found.uuid).to.equal(first.uuid);
  });

  it('refuses a signature that does not fit with ERR_LOG_REFUSED', async () => {
    const proposal: LogProposal = {
      kind: 'hashedrekord',
      payloadSha256: hash('sha256', 'one'),
      signature: sign('sha256', Buffer.from('another'), privateKey),
      verifierPem,
    };
    expect(await codeOfRejection(open(keys).append(proposal, { signal }))).to.equal('ERR_LOG_REFUSED');
  });

  it('tells of an index that nobody has with ERR_LOG_ENTRY_NOT_FOUND', async () => {
    const name = { logIndex: 1_000_000_000 };
    expect(await codeOfRejection(open(keys).getEntry(name, { signal }))).to.equal('ERR_LOG_ENTRY_NOT_FOUND');
  });
});
