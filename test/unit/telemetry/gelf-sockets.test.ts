import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { issueAuthority, issueLeaf } from '../../../src/reconcilers/serving-certificate-issue.ts';
import { logDecision } from '../../../src/telemetry/decision-line.ts';
import type { GelfOptions } from '../../../src/telemetry/gelf-transport.ts';
import { createLog } from '../../../src/telemetry/logger.ts';
import type { RunningLog } from '../../../src/telemetry/logger.ts';
import { openDatagramInput, openStreamInput } from './gelf-input.ts';

const clock = { now: () => new Date(1_700_000_000_000) };

interface Session {
  readonly log: RunningLog;
  /** Lines of the other way, standard error in real life. */
  readonly lines: readonly Readonly<Record<string, unknown>>[];
}

const open = (address: string, options: Partial<GelfOptions> = {}): Session => {
  const lines: Record<string, unknown>[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write: (line: string, _encoding, done) => {
      lines.push(JSON.parse(line) as Record<string, unknown>);
      done();
    },
  });
  const gelf = {
    address,
    host: 'kyverno-admission',
    only: 'decisions',
    compression: 'gzip',
    ...options,
  } as const;
  return { log: createLog({ level: 'info', format: 'json', stream, clock, gelf }), lines };
};

const deny = (log: RunningLog, explanation = 'full'): void => {
  logDecision(log, {
    decision: 'denied',
    namespace: 'production',
    kind: 'Pod',
    image: 'harbor.example/app:1',
    user: 'alice',
    uid: '1',
    dryRun: false,
    summary: 'app is denied',
    explanation,
  });
};

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await wait(2);
};

/** Turns of the event loop in which this process hears that the other end closed, however late it is with its timers. */
const noticed = async (): Promise<void> => {
  await wait(20);
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
};

describe('telemetry: GELF over sockets', () => {
  it('sends decisions, and nothing else, as one compressed datagram each', async () => {
    await using input = await openDatagramInput();
    const { log, lines } = open(`udp://127.0.0.1:${input.port}`);
    log.info('started', {});
    deny(log);
    const [message] = await input.received(1);
    await log.close();
    expect(message).to.include({
      version: '1.1',
      host: 'kyverno-admission',
      short_message: 'app is denied',
      full_message: 'full',
      timestamp: 1_700_000_000,
      level: 4,
      _decision: 'denied',
      _namespace: 'production',
      _user: 'alice',
      _image: 'harbor.example/app:1',
    });
    expect(input.messages).to.have.lengthOf(1);
    expect(input.datagrams[0]?.subarray(0, 2).toString('hex')).to.equal('1f8b');
    expect(lines.map(({ message: text }) => text)).to.deep.equal(['started', 'decision']);
    expect(log.gelf()).to.deep.equal({ sent: 1, dropped: 0, waiting: 0 });
  });

  it('sends every line at its level where it is asked to, with the fields of its children', async () => {
    await using input = await openDatagramInput();
    const { log } = open(`udp://127.0.0.1:${input.port}`, { only: 'all', compression: 'none' });
    log.debug('hidden', {});
    log.child({ component: 'queue' }).warn('stuck', { attempt: 3 });
    await input.received(1);
    await log.close();
    expect(input.messages).to.have.lengthOf(1);
    expect(input.messages[0]).to.include({ short_message: 'stuck', _component: 'queue', _attempt: 3 });
    expect(input.datagrams[0]?.toString()).to.match(/^\{"version":"1\.1"/);
  });

  it('sends a long decision in chunks, compressed or not', async () => {
    for (const compression of ['gzip', 'none'] as const) {
      await using input = await openDatagramInput();
      const { log } = open(`udp://127.0.0.1:${input.port}`, { compression });
      // Random, or it would be compressed into a single datagram.
      const explanation = randomBytes(12_000).toString('hex');
      deny(log, explanation);
      const [message] = await input.received(1);
      await log.close();
      expect(input.datagrams.length).to.be.above(5);
      expect(input.datagrams.every((datagram) => datagram.length <= 1420)).to.equal(true);
      expect(message).to.include({ full_message: explanation });
    }
  });

  it('sends null-terminated messages over one TCP connection, all of them before it closes', async () => {
    await using input = await openStreamInput();
    const { log } = open(`tcp://127.0.0.1:${input.port}`);
    for (let line = 0; line < 200; line += 1) deny(log, `number\u0000${line}`);
    await log.close();
    const messages = await input.received(200);
    expect(messages.map((message) => message['full_message'])).to.deep.equal(
      Array.from({ length: 200 }, (_, line) => `number\u0000${line}`),
    );
  });

  describe('by TLS', () => {
    let folder = '';
    let caFile = '';
    let tls = { key: '', cert: '' };
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'gelf-'));
      const now = new Date();
      const authority = await issueAuthority('graylog', now);
      const leaf = await issueLeaf(authority, ['localhost'], now);
      caFile = join(folder, 'ca.crt');
      tls = { key: leaf.keyPem, cert: leaf.certificatePem };
      await writeFile(caFile, authority.certificatePem);
      await writeFile(join(folder, 'other.crt'), (await issueAuthority('other', now)).certificatePem);
    });
    after(() => rm(folder, { recursive: true }));

    it('reaches an input whose certificate the given authority signed', async () => {
      await using input = await openStreamInput({ tls });
      const { log, lines } = open(`tls://localhost:${input.port}`, { caFile });
      deny(log);
      await log.close();
      expect(await input.received(1)).to.have.lengthOf(1);
      expect(lines).to.have.lengthOf(1);
    });

    it('tells nothing to an input of another authority or name, and reports ERR_GELF_CERTIFICATE', async () => {
      await using input = await openStreamInput({ tls });
      const cases = [
        open(`tls://localhost:${input.port}`, { caFile: join(folder, 'other.crt') }),
        open(`tls://localhost:${input.port}`),
        open(`tls://127.0.0.1:${input.port}`, { caFile }),
      ];
      for (const { log, lines } of cases) {
        deny(log);
        await until(() => lines.length === 2);
        expect(lines[1]).to.include({ level: 'warn', code: 'ERR_GELF_CERTIFICATE', faultKind: 'permanent' });
        await log.close();
        expect(lines[2]).to.include({ message: 'log lines for graylog dropped', count: 1 });
      }
      expect(input.messages).to.deep.equal([]);
    });

    it('reports ERR_GELF_CA_FILE where the authority cannot be read', async () => {
      const { log, lines } = open('tls://localhost:1', { caFile: join(folder, 'absent.crt') });
      deny(log);
      await until(() => lines.length === 2);
      expect(lines[1]).to.include({ code: 'ERR_GELF_CA_FILE', object: join(folder, 'absent.crt') });
      await log.close();
    });
  });

  it('delivers what was logged while the TCP input was away, and reports ERR_GELF_UNREACHABLE once', async () => {
    const first = await openStreamInput();
    const { port } = first;
    const { log, lines } = open(`tcp://127.0.0.1:${port}`);
    deny(log, 'before');
    await first.received(1);
    await first[Symbol.asyncDispose]();
    await noticed();
    deny(log, 'while away 1');
    deny(log, 'while away 2');
    await until(() => lines.some(({ code }) => code === 'ERR_GELF_UNREACHABLE'));
    await using second = await openStreamInput({ port });
    const messages = await second.received(2);
    expect(messages.map((message) => message['full_message'])).to.deep.equal([
      'while away 1',
      'while away 2',
    ]);
    await until(() => lines.some(({ message }) => message === 'log lines reach graylog again'));
    await log.close();
    expect(lines.filter(({ code }) => code === 'ERR_GELF_UNREACHABLE')).to.have.lengthOf(1);
  });

  it('goes on after an UDP input was away', async () => {
    const first = await openDatagramInput();
    const { port } = first;
    const { log } = open(`udp://127.0.0.1:${port}`);
    deny(log, 'before');
    await first.received(1);
    await first[Symbol.asyncDispose]();
    // The system may report the loss of one datagram only by refusing the next.
    deny(log, 'lost');
    await wait(20);
    await using second = await openDatagramInput(port);
    deny(log, 'after');
    while (!second.messages.some((message) => message['full_message'] === 'after')) await wait(5);
    await log.close();
  });

  it('stays bounded and closes in time where the reader reads nothing', async () => {
    await using input = await openStreamInput({ isDeaf: true });
    const { log, lines } = open(`tcp://127.0.0.1:${input.port}`);
    const explanation = 'x'.repeat(30_000);
    for (let line = 0; line < 1000; line += 1) deny(log, explanation);
    const { waiting, dropped } = log.gelf();
    expect(waiting * explanation.length).to.be.below(9 * 1024 * 1024);
    expect(dropped).to.be.above(0);
    const start = performance.now();
    await log.close({ gelfDeadlineMs: 200 });
    // Unbounded it would wait for ever.
    expect(performance.now() - start).to.be.below(20_000);
    expect(log.gelf().waiting).to.equal(0);
    expect(log.gelf().sent + log.gelf().dropped).to.equal(1000);
    expect(lines.some(({ message }) => message === 'log lines for graylog dropped')).to.equal(true);
  });
});
