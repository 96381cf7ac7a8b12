import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Agent } from 'undici';
import type { Clock } from '../../../src/model/clock.ts';
import { AppError } from '../../../src/model/errors.ts';
import type { Log, LogFields } from '../../../src/model/log.ts';
import { silentLog } from '../../../src/model/log.ts';
import type { Digest } from '../../../src/model/digest.ts';
import type { RecordedLogEntry, SigningRecord } from '../../../src/model/signing-record.ts';
import { AlarmBook } from '../../../src/monitor/alarm-book.ts';
import { IntentMemory } from '../../../src/monitor/intent-memory.ts';
import { noIntents } from '../../../src/monitor/intent-watch.ts';
import { LogMonitor } from '../../../src/monitor/log-monitor.ts';
import type { LogMonitorParts } from '../../../src/monitor/log-monitor.ts';
import { StateFile } from '../../../src/monitor/state-file.ts';
import { exactly } from '../../../src/signing/certificate-identity.ts';
import { createMonitorMetrics } from '../../../src/telemetry/monitor-metrics.ts';
import type { ListedEntry } from '../../../src/transparency/log-reader.ts';
import { RekorV1Reader } from '../../../src/transparency/rekor-v1-reader.ts';
import { codeOfRejection } from '../signing/codes.ts';
import { signal } from '../signing/signed-evidence.ts';
import { OwnLog } from '../transparency/own-log.ts';
import { entryOf, newCertificate, newKey, newPayload } from './entries.ts';
import type { TestSigner } from './entries.ts';

const subject = 'https://example.internal/signer';
const graceMs = 30_000;

describe('LogMonitor', () => {
  const agent = new Agent();
  let folder: string;
  let log: OwnLog;
  let ours: TestSigner;
  let nowMs: number;
  let raised: LogFields[];
  let warned: LogFields[];

  before(async () => {
    ours = await newCertificate(subject, 'https://example.internal');
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-monitor-'));
    log = await OwnLog.open(Array.from({ length: 11 }, () => entryOf('dsse', newPayload(), newKey())));
    nowMs = Date.parse('2026-10-01T00:00:00Z');
    raised = [];
    warned = [];
  });
  afterEach(async () => {
    await log[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  after(() => agent.close());

  const clock: Clock = { now: () => new Date(nowMs), sleep: () => Promise.resolve() };
  const lines: Log = {
    ...silentLog,
    error: (message, fields = {}) => {
      if (message === 'alarm') raised.push(fields);
    },
    warn: (message, fields = {}) => {
      if (message.includes('in our name')) warned.push(fields);
    },
  };
  const alarms = (): unknown[] => raised.map(({ alarm }) => alarm);

  /** A monitor as after a restart. */
  const open = async (
    parts: Partial<LogMonitorParts> = {},
  ): Promise<{ readonly monitor: LogMonitor; readonly intents: IntentMemory }> => {
    const store = new StateFile(join(folder, 'state'), log.url);
    const earlier = await store.load();
    const intents = new IntentMemory([log.key.logId], earlier?.intents);
    const monitor = new LogMonitor({
      reader: new RekorV1Reader({ url: log.url, dispatcher: agent, clock, keys: [log.key] }),
      signers: { identities: [{ subject: exactly(subject), issuer: undefined }], fingerprints: new Set() },
      origin: { isGenuine: () => true },
      book: new AlarmBook(earlier?.alarms),
      ...{ intents, earlier, store, clock, log: lines, source: noIntents },
      settings: {
        startIndex: 0,
        graceMs,
        intervalMs: 1000,
        auditEntries: 5,
        missingMs: 60_000,
        unreachableMs: 600_000,
      },
      metrics: createMonitorMetrics({ version: '0', alarms: [] }).of(''),
      ...parts,
    });
    return { monitor, intents };
  };
  /** A reader that takes something else for what the log gives. */
  const readerWith = (edit: (entries: readonly ListedEntry[]) => readonly ListedEntry[]): RekorV1Reader => {
    const reader = new RekorV1Reader({ url: log.url, dispatcher: agent, clock, keys: [log.key] });
    return Object.assign(reader, {
      readEntries: async (...args: Parameters<RekorV1Reader['readEntries']>) =>
        edit(await RekorV1Reader.prototype.readEntries.apply(reader, args)),
    });
  };
  const changedAt = (index: number, entries: readonly ListedEntry[]): readonly ListedEntry[] => {
    const body = entryOf('dsse', newPayload(), newKey());
    return entries.map((one) => (one.logIndex === index ? { ...one, body } : one));
  };
  const pass = async ({ monitor }: { readonly monitor: LogMonitor }): Promise<string | undefined> =>
    (await monitor.pass({ signal, graceMs }))?.code;
  const recordOf = (payloadDigest: Digest, entry?: RecordedLogEntry): SigningRecord => ({
    namespace: 'ci',
    uid: 'run-1',
    run: { kind: 'TaskRun', name: 'run' },
    phase: 'Intended',
    artifacts: [
      {
        kind: 'provenance',
        layout: 'shared',
        subject: 'image@sha256:1',
        payloadDigest,
        keyFingerprints: [ours.fingerprint],
        ...(entry === undefined ? {} : { entry }),
        destinations: [],
      },
    ],
  });
  const entryAt = (logIndex: number): RecordedLogEntry => ({
    log: 'http://another.name',
    logIndex,
    logId: log.key.logId,
    integratedTime: 1,
  });

  it('raises no alarm for entries of others, nor for those that a record explains', async () => {
    const payload = newPayload();
    const opened = await open();
    opened.intents.note(recordOf(payload));
    log.add(entryOf('dsse', payload, ours));
    expect(await pass(opened)).to.equal(undefined);
    nowMs += graceMs;
    await pass(opened);
    expect(raised).to.deep.equal([]);
  });

  it('raises one alarm for an entry that no record explains, when the grace period is over', async () => {
    const payload = newPayload();
    log.add(entryOf('hashedrekord', payload, ours));
    const opened = await open();
    await pass(opened);
    nowMs += graceMs - 1;
    await pass(opened);
    expect(raised).to.deep.equal([]);
    nowMs += 1;
    await pass(opened);
    await pass(opened);
    expect(raised).to.have.length(1);
    expect(raised[0]).to.include({
      alarm: 'UnexplainedEntry',
      logIndex: 11,
      loggedAt: '2026-09-21T14:13:20.000Z',
      payloadDigest: payload,
      identity: subject,
      keyFingerprint: ours.fingerprint,
    });
  });

  it('asks for all records before it raises an alarm', async () => {
    const payload = newPayload();
    log.add(entryOf('dsse', payload, ours));
    const opened = await open({
      source: {
        ...noIntents,
        refresh: () => {
          opened.intents.note(recordOf(payload));
          return Promise.resolve();
        },
      },
    });
    await pass(opened);
    nowMs += graceMs;
    await pass(opened);
    expect(raised).to.deep.equal([]);
  });

  it('does not take a noted payload for an excuse to sign it with another key', async () => {
    const payload = newPayload();
    const intruder = await newCertificate(subject, 'https://example.internal');
    log.add(entryOf('dsse', payload, intruder));
    const opened = await open();
    opened.intents.note(recordOf(payload));
    await pass(opened);
    nowMs += graceMs;
    await pass(opened);
    expect(alarms()).to.deep.equal(['UnexplainedEntry']);
  });

  it('raises no alarm for an entry whose record is there, though there are more than it can remember', async () => {
    const payload = newPayload();
    log.add(entryOf('dsse', payload, ours), entryOf('dsse', newPayload(), ours));
    const records = [payload, ...Array.from({ length: 10 }, newPayload)].map((digest) => recordOf(digest));
    const intents = new IntentMemory([log.key.logId], undefined, { maxNoted: 3 });
    const source = {
      ...noIntents,
      refresh: () => {
        for (const record of records) intents.note(record);
        return Promise.resolve();
      },
    };
    await source.refresh();
    const opened = await open({ intents, source });
    await pass(opened);
    nowMs += graceMs;
    await pass(opened);
    expect(raised.map(({ logIndex }) => logIndex)).to.deep.equal([12]);
    expect(opened.monitor.standing.pending).to.equal(0);
  });

  it('goes on after a restart where it stood, with what waits and what it knows of pruned records', async () => {
    const [known, unknown] = [newPayload(), newPayload()];
    const first = await open();
    first.intents.note(recordOf(known));
    log.add(entryOf('dsse', unknown, ours));
    await pass(first);
    log.add(entryOf('dsse', known, ours));
    log.asked.length = 0;
    nowMs += graceMs;
    const second = await open();
    await pass(second);
    expect(raised.map(({ payloadDigest }) => payloadDigest)).to.deep.equal([unknown]);
    // The new entry, and a step of the audit.
    expect(log.asked.filter((call) => call.includes('retrieve'))).to.have.length(2);
    await pass(await open());
    expect(raised).to.have.length(1);
  });

  it('begins at the end of the log unless it is told where, and misses nothing from there on', async () => {
    log.add(entryOf('dsse', newPayload(), ours));
    const settings = {
      startIndex: undefined,
      graceMs: 0,
      intervalMs: 1,
      auditEntries: 0,
      missingMs: 1,
      unreachableMs: 1,
    };
    const { monitor } = await open({ settings });
    await monitor.pass({ signal, graceMs: 0 });
    expect(raised).to.deep.equal([]);
    for (let count = 0; count < 3; count += 1) {
      log.add(entryOf('dsse', newPayload(), ours));
      await monitor.pass({ signal, graceMs: 0 });
    }
    expect(raised.map(({ logIndex }) => logIndex)).to.deep.equal([12, 13, 14]);
  });

  it('follows the log into its next shard', async () => {
    const opened = await open();
    await pass(opened);
    log.add(entryOf('dsse', newPayload(), newKey()));
    log.trees.push({ treeId: '2', bodies: [entryOf('dsse', newPayload(), ours)] });
    await pass(opened);
    nowMs += graceMs;
    await pass(opened);
    expect(raised.map(({ logIndex }) => logIndex)).to.deep.equal([12]);
  });

  describe('with a log that went on in a new tree', () => {
    let opened: Awaited<ReturnType<typeof open>>;
    beforeEach(async () => {
      opened = await open();
      await pass(opened);
      log.trees.push({ treeId: '2', bodies: [entryOf('dsse', newPayload(), newKey())] });
      expect(await pass(opened)).to.equal(undefined);
    });

    it('raises LogForked for an entry that was changed in the old one', async () => {
      log.trees[0]!.bodies[4] = entryOf('dsse', newPayload(), newKey());
      expect(await pass(opened)).to.equal('ERR_LOG_CONSISTENCY');
      expect(await pass(await open())).to.equal('ERR_LOG_CONSISTENCY');
      expect(alarms()).to.deep.equal(['LogForked']);
    });

    it('reads the old one again as well, and raises LogForked for what is not what it signed', async () => {
      const seen = new Set<number>();
      let isChanged = false;
      const reader = readerWith((entries) => {
        for (const { logIndex } of entries) seen.add(logIndex);
        return isChanged ? changedAt(7, entries) : entries;
      });
      const again = await open({ reader });
      for (let steps = 0; steps < 4; steps += 1) expect(await pass(again)).to.equal(undefined);
      expect([...seen].toSorted((a, b) => a - b)).to.deep.equal(Array.from({ length: 12 }, (_, at) => at));
      isChanged = true;
      const codes = [await pass(again), await pass(again), await pass(again), await pass(again)];
      expect(codes).to.include('ERR_LOG_CONSISTENCY');
      expect(alarms()).to.deep.equal(['LogForked']);
    });

    it('takes an answer without the new tree for one of a server that lags behind', async () => {
      const [tree] = log.trees.splice(1, 1);
      expect(await pass(opened)).to.equal('ERR_LOG_ANSWER');
      expect(raised).to.deep.equal([]);
      log.trees.push(tree!);
      expect(await pass(opened)).to.equal(undefined);
      log.trees.pop();
      nowMs += 600_000;
      await pass(opened);
      expect(alarms()).to.deep.equal(['LogUnreachable']);
    });

    it('raises an alarm at once for an answer in which more than the new tree is missing', async () => {
      const [old] = log.trees.splice(1, 1);
      log.trees[0]!.bodies.pop();
      expect(await pass(opened)).to.equal('ERR_MONITOR_SHRANK');
      log.trees.splice(0, 1, { treeId: '9', bodies: old!.bodies });
      expect(await pass(opened)).to.equal('ERR_LOG_CONSISTENCY');
      expect(alarms()).to.deep.equal(['LogShrank', 'LogForked']);
    });

    it('takes a state that was stored before old trees were, and knows them from then on', async () => {
      const file = join(folder, 'state');
      const state = JSON.parse(await readFile(file, 'utf8')) as { position: Record<string, unknown> };
      expect(state.position['ended']).to.have.length(1);
      delete state.position['ended'];
      await writeFile(file, JSON.stringify(state));
      expect(await pass(await open())).to.equal(undefined);
      log.trees[0]!.bodies[4] = entryOf('dsse', newPayload(), newKey());
      expect(await pass(await open())).to.equal('ERR_LOG_CONSISTENCY');
    });
  });

  it('raises LogForked once for a log that changed an old entry', async () => {
    const opened = await open();
    await pass(opened);
    log.trees[0]!.bodies[4] = entryOf('dsse', newPayload(), newKey());
    log.add(entryOf('dsse', newPayload(), newKey()));
    expect(await pass(opened)).to.equal('ERR_LOG_CONSISTENCY');
    await pass(opened);
    await pass(await open());
    expect(alarms()).to.deep.equal(['LogForked']);
  });

  it('raises LogForked once for an entry that was changed after it was read, though the tree stayed as it was', async () => {
    let isChanged = false;
    const opened = await open({
      reader: readerWith((entries) => (isChanged ? changedAt(7, entries) : entries)),
    });
    for (let passes = 0; passes < 3; passes += 1) expect(await pass(opened)).to.equal(undefined);
    isChanged = true;
    const codes = [await pass(opened), await pass(opened), await pass(opened)];
    expect(codes).to.include('ERR_LOG_CONSISTENCY');
    expect(alarms()).to.deep.equal(['LogForked']);
    isChanged = false;
    expect(await pass(opened)).to.equal(undefined);
  });

  it('raises LogForked for a log whose tree is gone', async () => {
    const opened = await open();
    await pass(opened);
    log.trees.splice(0, 1, { treeId: '9', bodies: [] });
    await pass(opened);
    expect(alarms()).to.deep.equal(['LogForked']);
  });

  it('raises LogShrank for a log that lost its last entries', async () => {
    const opened = await open();
    await pass(opened);
    log.trees[0]!.bodies.pop();
    expect(await pass(opened)).to.equal('ERR_MONITOR_SHRANK');
    expect(alarms()).to.deep.equal(['LogShrank']);
  });

  it('raises LogForked for entries that are not those that the log signed', async () => {
    const opened = await open({ reader: readerWith((entries) => changedAt(2, entries)) });
    expect(await pass(opened)).to.equal('ERR_LOG_CONSISTENCY');
    expect(alarms()).to.deep.equal(['LogForked']);
  });

  it('raises EntryMissing for an entry that the log signed for and keeps back, and goes on when it is there', async () => {
    log.hidden.add(7);
    const opened = await open();
    expect(await pass(opened)).to.equal('ERR_LOG_ENTRY_MISSING');
    expect(alarms()).to.deep.equal(['EntryMissing']);
    log.hidden.clear();
    expect(await pass(opened)).to.equal(undefined);
  });

  it('raises EntryMissing where something else stands at the index that the log told us', async () => {
    const [kept, unkept] = [newPayload(), newPayload()];
    const opened = await open();
    opened.intents.note(recordOf(unkept, entryAt(5)));
    opened.intents.note(recordOf(kept, entryAt(11)));
    log.add(entryOf('dsse', kept, ours));
    await pass(opened);
    await pass(opened);
    expect(alarms()).to.deep.equal(['EntryMissing']);
    expect(raised[0]).to.include({ logIndex: 5, payloadDigest: unkept, record: 'ci/run-1' });
  });

  it('raises EntryMissing once for an entry that the log took and that never appears', async () => {
    const payload = newPayload();
    const opened = await open();
    opened.intents.note(recordOf(payload, entryAt(20)));
    await pass(opened);
    nowMs += 59_999;
    await pass(opened);
    expect(raised).to.deep.equal([]);
    nowMs += 1;
    const again = await open();
    await pass(again);
    again.intents.note(recordOf(payload, entryAt(20)));
    await pass(again);
    expect(alarms()).to.deep.equal(['EntryMissing']);
    expect(raised[0]).to.include({
      logIndex: 20,
      summary: 'the log took an entry of ours, which never appeared',
    });
  });

  it('tells of a certificate in our name that our authority did not issue, and raises no alarm', async () => {
    log.add(entryOf('dsse', newPayload(), ours));
    const opened = await open({ origin: { isGenuine: () => false } });
    await pass(opened);
    nowMs += graceMs;
    await pass(opened);
    expect(raised).to.deep.equal([]);
    expect(warned).to.have.length(1);
    expect(warned[0]).to.include({ logIndex: 11, identity: subject, keyFingerprint: ours.fingerprint });
  });

  it('raises an alarm for a watched key, whatever certificate bears it', async () => {
    log.add(entryOf('dsse', newPayload(), ours));
    const signers = { identities: [], fingerprints: new Set([ours.fingerprint]) };
    const opened = await open({ signers, origin: { isGenuine: () => false } });
    await pass(opened);
    nowMs += graceMs;
    await pass(opened);
    expect(raised.map(({ logIndex }) => logIndex)).to.deep.equal([11]);
  });

  it('raises no alarm for a record that comes after its entry was read', async () => {
    const payload = newPayload();
    log.add(entryOf('dsse', payload, ours));
    const opened = await open();
    await pass(opened);
    opened.intents.note(recordOf(payload, entryAt(11)));
    nowMs += graceMs;
    await pass(opened);
    expect(raised).to.deep.equal([]);
  });

  it('raises LogUnreachable only when the log was away for long', async () => {
    const opened = await open();
    await pass(opened);
    log.failing = 503;
    expect(await pass(opened)).to.equal('ERR_LOG_UNAVAILABLE');
    expect(raised).to.deep.equal([]);
    nowMs += 600_000;
    await pass(opened);
    await pass(opened);
    expect(alarms()).to.deep.equal(['LogUnreachable']);
  });

  describe('with a log that takes more than a step to read', () => {
    /** A reader of few entries at a time, told of each step. */
    const slowReader = (onStep: () => void = () => undefined): RekorV1Reader => {
      const reader = new RekorV1Reader({ url: log.url, dispatcher: agent, clock, keys: [log.key] });
      return Object.assign(reader, {
        entriesPerStep: 5,
        readEntries: (...args: Parameters<RekorV1Reader['readEntries']>) => {
          onStep();
          return RekorV1Reader.prototype.readEntries.apply(reader, args);
        },
      });
    };
    let listed: number;
    const source = {
      ...noIntents,
      refresh: () => {
        listed += 1;
        return Promise.resolve();
      },
    };
    beforeEach(() => {
      listed = 0;
    });

    it('raises an alarm for an entry before one that the log keeps back for good', async () => {
      log.trees[0]!.bodies[3] = entryOf('dsse', newPayload(), ours);
      log.hidden.add(7);
      const opened = await open({ reader: slowReader() });
      expect(await pass(opened)).to.equal('ERR_LOG_ENTRY_MISSING');
      expect(alarms()).to.deep.equal(['EntryMissing']);
      nowMs += graceMs;
      await pass(opened);
      await pass(opened);
      await pass(await open({ reader: slowReader() }));
      expect(alarms()).to.deep.equal(['EntryMissing', 'UnexplainedEntry']);
      expect(raised[1]).to.include({ logIndex: 3 });
    });

    it('does not wait for the end of the log with an alarm, and lists records once in an interval', async () => {
      for (const index of [1, 6, 10]) log.trees[0]!.bodies[index] = entryOf('dsse', newPayload(), ours);
      const raisedBefore: number[] = [];
      const reader = slowReader(() => raisedBefore.push(raised.length));
      const { monitor } = await open({ reader, source });
      expect(await monitor.pass({ signal, graceMs: 0 })).to.equal(undefined);
      expect(raisedBefore.slice(0, 3)).to.deep.equal([0, 1, 1]);
      expect(raised.map(({ logIndex }) => logIndex)).to.deep.equal([1, 6, 10]);
      expect(listed).to.equal(2);
    });

    it('reads on while records cannot be listed, and raises no alarm before they can', async () => {
      log.trees[0]!.bodies[1] = entryOf('dsse', newPayload(), ours);
      const away = new AppError('ERR_KUBE_UNREACHABLE', 'away', { kind: 'passing' });
      const opened = await open({
        reader: slowReader(),
        source: { refresh: () => (listed++ < 2 ? Promise.reject(away) : Promise.resolve()) },
      });
      expect((await opened.monitor.pass({ signal, graceMs: 0 }))?.code).to.equal('ERR_KUBE_UNREACHABLE');
      expect(opened.monitor.entriesRead).to.equal(11);
      expect([listed, raised.length]).to.deep.equal([2, 0]);
      await opened.monitor.pass({ signal, graceMs: 0 });
      expect(alarms()).to.deep.equal(['UnexplainedEntry']);
    });
  });

  it('refuses a state that was spoilt, or is that of another log, with ERR_MONITOR_STATE', async () => {
    await pass(await open());
    const file = join(folder, 'state');
    expect(await codeOfRejection(new StateFile(file, 'http://another').load())).to.equal('ERR_MONITOR_STATE');
    await writeFile(file, (await readFile(file, 'utf8')).slice(0, -20));
    expect(await codeOfRejection(new StateFile(file, log.url).load())).to.equal('ERR_MONITOR_STATE');
  });

  it('stops with ERR_MONITOR_STATE_FILE where its state cannot be written', async () => {
    const { monitor } = await open({ store: new StateFile(join(folder, 'absent', 'state'), log.url) });
    expect(await codeOfRejection(monitor.pass({ signal, graceMs }))).to.equal('ERR_MONITOR_STATE_FILE');
  });
});
