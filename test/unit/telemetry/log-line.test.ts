import { expect } from 'chai';
import fc from 'fast-check';
import { formatJson, formatText } from '../../../src/telemetry/log-line.ts';
import type { LogEvent } from '../../../src/telemetry/log-line.ts';

const event = (fields: LogEvent['fields'], message = 'run signed'): LogEvent => ({
  time: new Date('2026-01-02T03:04:05.678Z'),
  level: 'info',
  message,
  fields,
});

describe('telemetry: log line', () => {
  it('is one JSON object with time, level, message, fields, in this order', () => {
    expect(formatJson(event({ run: 'build-1', logIndex: 42, error: undefined }))).to.equal(
      '{"time":"2026-01-02T03:04:05.678Z","level":"info","message":"run signed","run":"build-1","logIndex":42}',
    );
  });

  it('does not let a field take the place of time, level or message', () => {
    expect(JSON.parse(formatJson(event({ message: 'forged', level: 'error' })))).to.include({
      level: 'info',
      message: 'run signed',
      message_: 'forged',
      level_: 'error',
    });
  });

  it('reads well as text, and is coloured only when asked', () => {
    const fields = { run: 'build-1', error: 'two words', logIndex: 42 };
    expect(formatText(event(fields), { colour: false })).to.match(
      /^\d\d:\d\d:05 INFO {2}run signed run=build-1 error="two words" logIndex=42$/,
    );
    expect(formatText(event(fields), { colour: true })).to.include('\u001b[32mINFO');
  });

  it('stays on one line and lets no control character through, whatever the values', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.string({ unit: 'binary' })),
        (fields) => {
          for (const line of [formatJson(event(fields)), formatText(event(fields), { colour: false })]) {
            // eslint-disable-next-line no-control-regex
            expect(line).not.to.match(/[\u0000-\u001f]/);
          }
        },
      ),
    );
  });

  it('cuts long values', () => {
    const line = JSON.parse(formatJson(event({ error: 'x'.repeat(100_000) }))) as { error: string };
    expect(line.error).to.have.lengthOf(4099);
  });

  it('lets the explanation of a decision be longer, but not endless', () => {
    const lengthOf = (length: number): number =>
      (JSON.parse(formatJson(event({ explanation: 'x'.repeat(length) }))) as { explanation: string })
        .explanation.length;
    expect(lengthOf(20_000)).to.equal(20_000);
    expect(lengthOf(100_000)).to.equal(32_771);
  });

  it('takes values that the types forbid', () => {
    const odd = { error: new Error('broken'), big: 10n, nothing: null, symbol: Symbol('s') };
    expect(JSON.parse(formatJson(event(odd as never)))).to.include({
      error: 'broken',
      big: '10',
      nothing: 'null',
      symbol: 'Symbol(s)',
    });
  });
});
