import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { AppError } from '../../../src/model/errors.ts';
import type { LogFields } from '../../../src/model/log.ts';
import type { GelfCarrier } from '../../../src/telemetry/gelf-carrier.ts';
import { GelfShipper } from '../../../src/telemetry/gelf-shipper.ts';
import type { GelfBounds } from '../../../src/telemetry/gelf-shipper.ts';
import type { GelfMessage } from '../../../src/telemetry/gelf-message.ts';

const message = (text: string): GelfMessage => ({
  version: '1.1',
  host: 'h',
  short_message: text,
  timestamp: 1,
  level: 6,
});

/** An input whose moods a test decides. */
class Input {
  readonly taken: string[] = [];
  connections = 0;
  mood: 'well' | 'away' | 'stuck' | 'breaking' = 'well';
  isOpen = true;

  carrier(): GelfCarrier {
    const refuse = (signal: AbortSignal): Promise<never> =>
      this.mood === 'stuck'
        ? new Promise((_, reject) => {
            signal.addEventListener('abort', () => {
              reject(signal.reason as Error);
            });
          })
        : Promise.reject(new AppError('ERR_GELF_UNREACHABLE', 'away', { kind: 'passing' }));
    return {
      encode: ({ short_message: text }) => Buffer.from(text),
      connect: async () => {
        this.connections += 1;
        if (this.mood === 'away') throw new AppError('ERR_GELF_UNREACHABLE', 'away', { kind: 'passing' });
        const isOpen = (): boolean => this.isOpen;
        return Promise.resolve({
          get isOpen() {
            return isOpen();
          },
          write: (payload: Buffer, { signal }: { signal: AbortSignal }) => {
            if (this.mood !== 'well') return refuse(signal);
            this.taken.push(payload.toString());
            return Promise.resolve();
          },
          end: () => Promise.resolve(),
          destroy: () => undefined,
        });
      },
    };
  }
}

interface Report {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

const ship = (
  input: Input,
  bounds: Partial<GelfBounds> = {},
): { shipper: GelfShipper; reports: Report[] } => {
  const reports: Report[] = [];
  const shipper = new GelfShipper({
    carrier: input.carrier(),
    report: (level, text, fields) => reports.push({ level, message: text, fields }),
    random: () => 0,
    bounds: { backOff: { baseMs: 1, capMs: 5 }, ...bounds },
  });
  return { shipper, reports };
};

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await wait(1);
};

describe('telemetry: GELF shipper', () => {
  it('opens no connection while there is nothing to send, and one for many messages', async () => {
    const input = new Input();
    const { shipper, reports } = ship(input);
    expect(input.connections).to.equal(0);
    for (const text of ['a', 'b', 'c']) shipper.send(message(text));
    await shipper.close({ deadlineMs: 1000 });
    expect(input.taken).to.deep.equal(['a', 'b', 'c']);
    expect(input.connections).to.equal(1);
    expect(shipper.counts).to.deep.equal({ sent: 3, dropped: 0, waiting: 0 });
    expect(reports).to.deep.equal([]);
  });

  it('keeps what it could not send, in order, and tells once that the input is lost and once that it is found', async () => {
    const input = new Input();
    const { shipper, reports } = ship(input);
    input.mood = 'away';
    shipper.send(message('a'));
    await until(() => input.connections >= 3);
    shipper.send(message('b'));
    input.mood = 'well';
    await until(() => input.taken.length === 2);
    expect(input.taken).to.deep.equal(['a', 'b']);
    expect(reports.map(({ level, message: text }) => `${level} ${text}`)).to.deep.equal([
      'warn log lines do not reach graylog',
      'info log lines reach graylog again',
    ]);
    expect(reports[0]?.fields).to.include({ code: 'ERR_GELF_UNREACHABLE' });
    await shipper.close({ deadlineMs: 1000 });
  });

  it('connects anew without a warning when the other end closed an idle connection', async () => {
    const input = new Input();
    const { shipper, reports } = ship(input);
    shipper.send(message('a'));
    await until(() => input.taken.length === 1);
    input.isOpen = false;
    shipper.send(message('b'));
    await until(() => input.taken.length === 2);
    expect(input.connections).to.equal(2);
    expect(reports).to.deep.equal([]);
    await shipper.close({ deadlineMs: 1000 });
  });

  it('drops and counts what the queue does not hold, by number and by bytes, and says so at most once in a while', async () => {
    const input = new Input();
    input.mood = 'stuck';
    const { shipper, reports } = ship(input, { messages: 3, bytes: 10 });
    for (const text of ['a', 'b', 'c', 'd', 'e']) shipper.send(message(text));
    expect(shipper.counts).to.deep.equal({ sent: 0, dropped: 2, waiting: 3 });
    expect(reports.map(({ fields }) => fields['count'])).to.deep.equal([1]);
    const other = ship(input, { messages: 3, bytes: 10 });
    for (const text of ['123456', '123456']) other.shipper.send(message(text));
    expect(other.shipper.counts).to.deep.equal({ sent: 0, dropped: 1, waiting: 1 });
    await Promise.all([shipper.close({ deadlineMs: 10 }), other.shipper.close({ deadlineMs: 10 })]);
    expect(reports.at(-1)?.fields).to.deep.equal({ count: 4 });
  });

  it('leaves a reader that takes nothing, and comes back with the same message', async () => {
    const input = new Input();
    input.mood = 'stuck';
    const { shipper } = ship(input, { writeMs: 5 });
    shipper.send(message('a'));
    await until(() => input.connections >= 2);
    input.mood = 'well';
    await until(() => input.taken.length === 1);
    await shipper.close({ deadlineMs: 1000 });
    expect(input.taken).to.deep.equal(['a']);
  });

  it('closes within its deadline whatever the input does, and counts the rest as dropped', async () => {
    for (const mood of ['stuck', 'away', 'breaking'] as const) {
      const input = new Input();
      input.mood = mood;
      const { shipper } = ship(input, { backOff: { baseMs: 60_000, capMs: 60_000 } });
      shipper.send(message('a'));
      shipper.send(message('b'));
      await wait(2);
      const start = performance.now();
      await shipper.close({ deadlineMs: 50 });
      // Far less than its pause between two tries.
      expect(performance.now() - start).to.be.below(20_000);
      expect(shipper.counts).to.deep.equal({ sent: 0, dropped: 2, waiting: 0 });
      shipper.send(message('late'));
      expect(shipper.counts.dropped).to.equal(3);
    }
  });
});
