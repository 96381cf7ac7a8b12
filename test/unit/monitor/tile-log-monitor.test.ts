import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Agent } from 'undici';
import type { LogFields } from '../../../src/model/log.ts';
import { silentLog } from '../../../src/model/log.ts';
import { AlarmBook } from '../../../src/monitor/alarm-book.ts';
import { IntentMemory } from '../../../src/monitor/intent-memory.ts';
import { noIntents } from '../../../src/monitor/intent-watch.ts';
import { LogMonitor } from '../../../src/monitor/log-monitor.ts';
import { StateFile } from '../../../src/monitor/state-file.ts';
import { exactly } from '../../../src/signing/certificate-identity.ts';
import { createMonitorMetrics } from '../../../src/telemetry/monitor-metrics.ts';
import { RekorV2Reader } from '../../../src/transparency/rekor-v2-reader.ts';
import { signal, systemClock } from '../signing/signed-evidence.ts';
import { OwnTileLog } from '../transparency/own-tile-log.ts';
import { entryOf, newCertificate, newKey, newPayload } from './entries.ts';
import type { TestSigner } from './entries.ts';

const subject = 'https://example.internal/signer';

describe('LogMonitor over a log of tiles', () => {
  const agent = new Agent();
  let folder: string;
  let log: OwnTileLog;
  let ours: TestSigner;
  let raised: LogFields[];

  before(async () => {
    ours = await newCertificate(subject, 'https://example.internal');
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-monitor-'));
    log = await OwnTileLog.open(
      Array.from({ length: 600 }, () => entryOf('dsse-v2', newPayload(), newKey())),
    );
    raised = [];
  });
  afterEach(async () => {
    await log[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  after(() => agent.close());

  /** A monitor as after a restart. */
  const open = async () => {
    const store = new StateFile(join(folder, 'state'), log.url);
    const earlier = await store.load();
    const intents = new IntentMemory([log.key.logId], earlier?.intents);
    const monitor = new LogMonitor({
      reader: new RekorV2Reader({ url: log.url, dispatcher: agent, clock: systemClock, keys: [log.key] }),
      signers: { identities: [{ subject: exactly(subject), issuer: undefined }], fingerprints: new Set() },
      origin: { isGenuine: () => true },
      book: new AlarmBook(earlier?.alarms),
      ...{ intents, earlier, store, clock: systemClock, source: noIntents },
      log: { ...silentLog, error: (_, fields = {}) => raised.push(fields) },
      settings: {
        startIndex: 0,
        graceMs: 0,
        intervalMs: 1000,
        auditEntries: 5,
        missingMs: 60_000,
        unreachableMs: 600_000,
      },
      metrics: createMonitorMetrics({ version: '0', alarms: [] }).of(''),
    });
    return { monitor, intents, pass: async () => (await monitor.pass({ signal, graceMs: 0 }))?.code };
  };

  it('finds each entry in our name once, over restarts, and none that a record explains', async () => {
    const [payload, signed] = [newPayload(), newPayload()];
    for (let restart = 0; restart < 3; restart += 1) {
      const { intents, pass } = await open();
      const artifact = {
        kind: 'provenance',
        layout: 'shared',
        subject: 'i@sha256:1',
        destinations: [],
      } as const;
      const keyFingerprints = [ours.fingerprint];
      const artifacts = [{ ...artifact, payloadDigest: payload, signedDigest: signed, keyFingerprints }];
      intents.note({ namespace: 'ci', uid: 'run-1', artifacts });
      log.bodies.push(
        entryOf('hashedrekord-v2', signed, ours),
        ...Array.from({ length: 100 * restart }, () => entryOf('dsse-v2', newPayload(), newKey())),
        entryOf('hashedrekord-v2', newPayload(), ours),
      );
      expect(await pass()).to.equal(undefined);
    }
    expect(raised.map(({ alarm, logIndex }) => [alarm, logIndex])).to.deep.equal([
      ['UnexplainedEntry', 601],
      ['UnexplainedEntry', 703],
      ['UnexplainedEntry', 905],
    ]);
    expect(raised[0]).to.include({ identity: subject, loggedAt: undefined });
  });

  it('raises LogForked for a changed entry and for a changed tile', async () => {
    // Each is read for the first time after the log grew.
    for (const place of ['tile/entries/002', 'tile/0/003']) {
      raised = [];
      const { pass } = await open();
      expect(await pass()).to.equal(undefined);
      log.bodies.push(...Array.from({ length: 300 }, () => entryOf('dsse-v2', newPayload(), newKey())));
      log.edit = (path, content) => {
        if (path.startsWith(place)) content[content.length - 20] = (content.at(-20) ?? 0) ^ 1;
        return content;
      };
      expect(await pass(), place).to.equal('ERR_LOG_CONSISTENCY');
      expect(raised.map(({ alarm }) => alarm)).to.deep.equal(['LogForked']);
      log.edit = (_, content) => content;
      await pass();
    }
  });

  it('raises LogShrank for a smaller tree, and nothing for one that only lags behind', async () => {
    const { pass } = await open();
    await pass();
    log.shownSize = 500;
    expect(await pass()).to.equal(undefined);
    log.edit = (path, content) => (path.startsWith('tile/') ? undefined : content);
    expect(await pass()).to.equal('ERR_MONITOR_SHRANK');
    expect(raised.map(({ alarm }) => alarm)).to.deep.equal(['LogShrank']);
  });

  it('raises EntryMissing for a bundle of entries that the log keeps back', async () => {
    log.edit = (path, content) => (path === 'tile/entries/001' ? undefined : content);
    const { pass } = await open();
    expect(await pass()).to.equal('ERR_LOG_ENTRY_MISSING');
    expect(raised.map(({ alarm }) => alarm)).to.deep.equal(['EntryMissing']);
  });
});
