import { hash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Agent, MockAgent } from 'undici';
import { startDevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import type { DevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import type { PinnedImage } from '../../../src/model/image-reference.ts';
import { silentLog } from '../../../src/model/log.ts';
import { verifierPem } from '../../../src/model/signature.ts';
import { openLogSearch } from '../../../src/policy/log-search.ts';
import type { LogSearch } from '../../../src/policy/log-search.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import { openLayoutStore } from '../../../src/registry/oci-layout-store.ts';
import { logKeysOf, parseTrustRoot } from '../../../src/signing/trust-root.ts';
import type { TrustRoot } from '../../../src/signing/trust-root.ts';
import { encodeSimpleSigning } from '../../../src/statements/simple-signing.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { RekorV1Client } from '../../../src/transparency/rekor-v1-client.ts';
import { encodeProposal } from '../../../src/transparency/rekor-v1-entry.ts';
import type { LogProposal } from '../../../src/transparency/transparency-log.ts';
import { soon } from '../registry/sample-images.ts';
import { judge, policyObject } from './judging.ts';
import { attachSignature, makeKey, pushTestImage } from './key-evidence.ts';
import type { TestKey } from './key-evidence.ts';

type Judgement = Awaited<ReturnType<typeof judge>>;
interface Call {
  readonly body: string;
}

const url = 'http://rekor.example';
const path = '/api/v1/log/entries/retrieve';

describe('evidence without its log entry', () => {
  const agent = new Agent();
  let folder = '';
  let store: ImageStore;
  let ours: TestKey;
  let sigstore: DevelopmentSigstore;
  let another: DevelopmentSigstore;
  let trustRoot: TrustRoot;
  let count = 0;
  const calls: string[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-finder-'));
    store = await openLayoutStore(folder, systemClock);
    [sigstore, another] = [await startDevelopmentSigstore(), await startDevelopmentSigstore()];
    trustRoot = parseTrustRoot(JSON.stringify(sigstore.trustedRoot));
    ours = await makeKey();
  });
  beforeEach(() => calls.splice(0));
  after(async () => {
    await agent.close();
    await sigstore[Symbol.asyncDispose]();
    await another[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  /** What cosign would have logged of an image's signature. */
  const proposalOf = async ({ digest }: PinnedImage, { key }: TestKey): Promise<LogProposal> => {
    const payload = encodeSimpleSigning({ dockerReference: 'registry.example/team/app', digest });
    const signature = await key.sign(payload);
    return {
      kind: 'hashedrekord',
      payloadSha256: hash('sha256', payload),
      signature,
      verifierPem: verifierPem(key.material),
    };
  };
  /** Logs it, and gives what the log answers when it is asked for it. */
  const logIn = async (log: DevelopmentSigstore, proposal: LogProposal): Promise<object> => {
    const keys = logKeysOf(parseTrustRoot(JSON.stringify(log.trustedRoot)));
    const options = { url: log.rekorUrl, dispatcher: agent, clock: systemClock, keys, log: silentLog };
    const { uuid } = await new RekorV1Client(options).append(proposal, { signal: soon() });
    const call = { origin: log.rekorUrl, path: `/api/v1/log/entries/${uuid}`, method: 'GET' } as const;
    return (await (await agent.request(call)).body.json()) as object;
  };
  const answering = (status: number, answer: unknown): LogSearch => {
    const mock = new MockAgent();
    mock.disableNetConnect();
    mock
      .get(url)
      .intercept({ path, method: 'POST' })
      .reply(status, (call) => {
        calls.push((call as unknown as Call).body);
        return JSON.stringify(answer);
      })
      .persist();
    return openLogSearch({ dispatcherFor: () => mock, clock: systemClock });
  };
  const signed = async (): Promise<PinnedImage> => {
    const pinned = await pushTestImage(store, `image ${(count += 1)}`);
    await attachSignature(store, pinned, ours);
    return pinned;
  };
  const judgeBy = (
    pinned: PinnedImage,
    searchLog: LogSearch | undefined,
    { ctlog = { url }, pem = ours.pem }: { readonly ctlog?: object; readonly pem?: string } = {},
  ): Promise<Judgement> =>
    judge(store, pinned, [policyObject([{ key: { data: pem }, ctlog }])], {
      trustRoots: { default: trustRoot },
      ...(searchLog === undefined ? {} : { searchLog }),
    });
  const reasonOf = ({ policies }: Judgement): string =>
    policies
      .flatMap(({ authorities }) => authorities.flatMap(({ checks }) => checks.flatMap((one) => one.reasons)))
      .map(({ code, message }) => `${code} ${message}`)
      .join('\n');

  /** The entry of our own signature as it lies beside the image: signatures differ each time they are made. */
  const proposalBeside = async (pinned: PinnedImage): Promise<LogProposal> => {
    await judgeBy(pinned, answering(200, []));
    const [asked] = (JSON.parse(calls.pop() ?? '') as { entries: [Proposed] }).entries;
    const { data, signature } = asked.spec;
    return {
      kind: 'hashedrekord',
      payloadSha256: data.hash.value,
      signature: Buffer.from(signature.content, 'base64'),
      verifierPem: Buffer.from(signature.publicKey.content, 'base64').toString(),
    };
  };

  it('counts once the log that the authority names has given the entry, which is asked for as it was logged', async () => {
    const pinned = await signed();
    const proposal = await proposalBeside(pinned);
    const found = await logIn(sigstore, proposal);
    const judgement = await judgeBy(pinned, answering(200, [found]));
    expect(judgement.outcome).to.equal('admitted');
    const [evidence] = judgement.policies[0]?.authorities[0]?.checks[0]?.evidence ?? [];
    expect(evidence?.logEntries).to.have.length(1);
    expect(calls).to.deep.equal([`{"entries":[${encodeProposal(proposal)}]}`]);
    expect((await judgeBy(pinned, undefined)).outcome, 'nobody asks').to.equal('denied');
  });

  it('is refused with ERR_VERIFY_LOG_MISSING if the log has no entry', async () => {
    const reason = reasonOf(await judgeBy(await signed(), answering(200, [])));
    expect(reason).to.match(/^ERR_VERIFY_LOG_MISSING .*http:\/\/rekor\.example has none for it$/);
  });

  it('is refused if the entry is of another log, of another signature, or altered', async () => {
    const pinned = await signed();
    const proposal = await proposalBeside(pinned);
    const stranger = await logIn(another, proposal);
    expect(reasonOf(await judgeBy(pinned, answering(200, [stranger])))).to.match(/^ERR_VERIFY_/);
    const foreign = await logIn(sigstore, await proposalOf(pinned, await makeKey()));
    expect(reasonOf(await judgeBy(pinned, answering(200, [foreign])))).to.match(/^ERR_VERIFY_LOG_ENTRY /);
    const [[uuid, own]] = Object.entries(await logIn(sigstore, proposal)) as [[string, object]];
    const later = { [uuid]: { ...own, integratedTime: 1_800_000_000 } };
    expect(reasonOf(await judgeBy(pinned, answering(200, [later])))).to.match(/^ERR_VERIFY_SET /);
    const several = [stranger, foreign, { [uuid]: own }];
    expect((await judgeBy(pinned, answering(200, several))).outcome).to.equal('admitted');
  });

  it('is refused with the log’s name if it is away, out of order or no log', async () => {
    const pinned = await signed();
    const away = openLogSearch({ dispatcherFor: () => agent, clock: systemClock });
    const ctlog = { url: 'http://127.0.0.1:1' };
    expect(reasonOf(await judgeBy(pinned, away, { ctlog }))).to.match(
      /^ERR_LOG_UNREACHABLE http:\/\/127\.0\.0\.1:1\//,
    );
    expect((await judgeBy(pinned, answering(503, {}))).nextStep).to.include('gives no usable answer');
    expect(reasonOf(await judgeBy(pinned, answering(503, {})))).to.match(
      /^ERR_LOG_UNAVAILABLE http:\/\/rekor\.example/,
    );
    expect(reasonOf(await judgeBy(pinned, answering(200, [{ a: 1 }])))).to.match(/^ERR_LOG_ANSWER /);
    expect(reasonOf(await judgeBy(pinned, answering(302, [])))).to.match(/^ERR_LOG_UNAVAILABLE /);
    expect(reasonOf(await judgeBy(pinned, away, { ctlog: { url: 'file:///etc/passwd' } }))).to.match(
      /^ERR_POLICY_REFERENCE ctlog\.url/,
    );
  });

  it('is not asked about if it does not verify otherwise, nor where no log is named', async () => {
    const pinned = await signed();
    const { pem } = await makeKey();
    const search = answering(200, []);
    expect(reasonOf(await judgeBy(pinned, search, { pem }))).to.match(/^ERR_VERIFY_SIGNATURE /);
    expect(reasonOf(await judgeBy(pinned, search, { ctlog: {} }))).to.match(/^ERR_VERIFY_LOG_MISSING /);
    const foreign = await pushTestImage(store, `image ${(count += 1)}`);
    await attachSignature(store, foreign, ours, pinned.digest);
    expect(reasonOf(await judgeBy(foreign, search))).to.match(/^ERR_VERIFY_SUBJECT /);
    expect(calls).to.deep.equal([]);
  });

  it('is asked about once, and of many signatures about no more than 16', async () => {
    const pinned = await signed();
    for (let at = 0; at < 19; at += 1) await attachSignature(store, pinned, ours);
    const reasons = reasonOf(await judgeBy(pinned, answering(200, [])));
    expect(calls).to.have.length(16);
    expect(reasons).to.include('is not asked about more than 16 signatures');
  });
});

interface Proposed {
  readonly spec: {
    readonly data: { readonly hash: { readonly value: string } };
    readonly signature: { readonly content: string; readonly publicKey: { readonly content: string } };
  };
}
