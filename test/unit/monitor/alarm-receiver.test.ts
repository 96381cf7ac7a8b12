import { expect } from 'chai';
import { Agent } from 'undici';
import type { Clock } from '../../../src/model/clock.ts';
import { silentLog } from '../../../src/model/log.ts';
import { AlarmBook } from '../../../src/monitor/alarm-book.ts';
import { AlarmReceiver } from '../../../src/monitor/alarm-receiver.ts';
import type { ReceiverSpec } from '../../../src/monitor/alarm-receiver.ts';
import { AlarmInbox, signatureOf } from '../../support/alarm-inbox.ts';
import { waitFor } from '../../support/waiting.ts';

const alarm = { kind: 'UnexplainedEntry', message: 'somebody signed', fields: { logIndex: 7 } } as const;

describe('AlarmReceiver', () => {
  const agent = new Agent();
  let inbox: AlarmInbox;
  let book: AlarmBook;
  let stop: AbortController;
  let nowMs: number;
  let outcomes: string[];
  beforeEach(async () => {
    inbox = await AlarmInbox.open();
    book = new AlarmBook(undefined, { isDelivered: true });
    stop = new AbortController();
    nowMs = Date.parse('2026-10-01T00:00:00Z');
    outcomes = [];
  });
  afterEach(async () => {
    stop.abort();
    await inbox[Symbol.asyncDispose]();
  });
  after(() => agent.close());

  const clock: Clock = {
    now: () => new Date(nowMs),
    // Pauses are over at once; only waiting for news lasts.
    sleep: (ms, signal) =>
      Number.isFinite(ms)
        ? new Promise((resolve) => setTimeout(resolve, 5))
        : new Promise((_, reject) => {
            signal.addEventListener('abort', () => {
              reject(new Error('aborted'));
            });
          }),
  };
  const start = (spec: Partial<ReceiverSpec> = {}): AlarmReceiver => {
    const receiver = new AlarmReceiver({
      spec: { url: inbox.url, ...spec },
      monitor: { name: 'golems', uid: 'uid-1' },
      ...{ book, clock, log: silentLog, dispatcher: agent, random: () => 0.5, onChange: () => undefined },
      readSecret: ({ name, key }) => Promise.resolve(`${name}/${key}\n`),
      metrics: { receiverCalled: (outcome) => outcomes.push(outcome), undelivered: () => undefined },
    });
    void receiver.run({ signal: stop.signal });
    return receiver;
  };
  const delivered = (count: number): Promise<true> =>
    waitFor(
      () =>
        Promise.resolve(
          inbox.received.length >= count && book.toStored().undelivered.length === 0 ? true : undefined,
        ),
      {
        what: 'the calls',
        timeoutMs: 60_000,
        pollMs: 5,
      },
    );

  it('posts each alarm once, in order, with the header and signature that the object asks for', async () => {
    const secretRef = { name: 'receiver', key: 'token' };
    const receiver = start({ header: { name: 'X-Token', secretRef }, hmac: { secretRef } });
    book.note(alarm, new Date(nowMs));
    book.note({ ...alarm, fields: { logIndex: 8 } }, new Date(nowMs));
    receiver.wake();
    await delivered(2);
    const [first, second] = inbox.received;
    expect(first?.alarm).to.deep.include({ logMonitor: 'golems', alarm: 'UnexplainedEntry', alarms: 2 });
    expect(inbox.received.map(({ alarm: { details } }) => details['logIndex'])).to.deep.equal([7, 8]);
    expect(first?.alarm.id).to.not.equal(second?.alarm.id);
    expect(first?.headers['x-token']).to.equal('receiver/token');
    expect(first?.headers['x-chainwright-signature']).to.equal(signatureOf(first!, 'receiver/token\n'));
    expect(book.toStored().undelivered).to.deep.equal([]);
  });

  it('tries again until the receiver takes it, also after a restart, with the same id', async () => {
    inbox.status = 500;
    book.note(alarm, new Date(nowMs));
    const receiver = start();
    await waitFor(() => Promise.resolve(outcomes.length > 2 ? true : undefined), {
      what: 'three tries',
      timeoutMs: 60_000,
    });
    expect(receiver.fault).to.include('HTTP 500');
    stop.abort();
    stop = new AbortController();
    book = new AlarmBook(book.toStored(), { isDelivered: true });
    inbox.status = 204;
    start();
    await delivered(1);
    expect(book.toStored()).to.deep.include({ undelivered: [], dropped: 0, count: 1 });
  });

  it('gives up after a day', async () => {
    book.note(alarm, new Date(nowMs));
    nowMs += 24 * 3_600_000 + 1;
    start();
    await waitFor(() => Promise.resolve(outcomes[0]), { what: 'the end', timeoutMs: 60_000 });
    expect(outcomes).to.deep.equal(['dropped']);
    expect(book.toStored()).to.deep.include({ undelivered: [], dropped: 1 });
    expect(inbox.received).to.deep.equal([]);
  });
});

describe('AlarmBook', () => {
  it('keeps the first 200 alarms for the receiver, and counts the others', () => {
    const book = new AlarmBook(undefined, { isDelivered: true });
    for (let logIndex = 0; logIndex < 205; logIndex += 1) {
      book.note({ ...alarm, fields: { logIndex } }, new Date(0));
    }
    const { count, undelivered, dropped, last } = book.toStored();
    expect([count, undelivered.length, dropped]).to.deep.equal([205, 200, 5]);
    expect(last?.fields['logIndex']).to.equal(204);
    expect(new AlarmBook(book.toStored()).toStored().undelivered).to.deep.equal([]);
  });
});
