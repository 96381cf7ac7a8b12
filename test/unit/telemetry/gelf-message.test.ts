import { expect } from 'chai';
import fc from 'fast-check';
import { encodeGelf, gelfMessage, shortenGelf } from '../../../src/telemetry/gelf-message.ts';
import type { GelfMessage } from '../../../src/telemetry/gelf-message.ts';
import type { LogEvent } from '../../../src/telemetry/log-line.ts';

const event = (parts: Partial<LogEvent> = {}): LogEvent => ({
  time: new Date(1_700_000_000_250),
  level: 'info',
  message: 'decision',
  fields: {},
  ...parts,
});
const of = (parts: Partial<LogEvent>): GelfMessage =>
  gelfMessage(event(parts), { host: 'kyverno-admission' });

describe('telemetry: GELF message', () => {
  it('names version, host, time in seconds and severity as syslog does', () => {
    expect(of({ message: 'started' })).to.deep.equal({
      version: '1.1',
      host: 'kyverno-admission',
      short_message: 'started',
      timestamp: 1_700_000_000.25,
      level: 6,
    });
    const levels = (['error', 'warn', 'info', 'debug'] as const).map((level) => of({ level }).level);
    expect(levels).to.deep.equal([3, 4, 6, 7]);
  });

  it('says a decision in short and in full, and its fields by their names', () => {
    const fields = {
      summary: 'image a is denied',
      explanation: 'a: denied\n  policy p: failed',
      decision: 'denied',
      image: 'harbor.example/a:1',
      policy: 'p',
      dryRun: false,
      durationMs: 12.5,
      digest: undefined,
    };
    expect(of({ level: 'warn', fields })).to.deep.equal({
      version: '1.1',
      host: 'kyverno-admission',
      short_message: 'image a is denied',
      full_message: 'a: denied\n  policy p: failed',
      timestamp: 1_700_000_000.25,
      level: 4,
      _event: 'decision',
      _decision: 'denied',
      _image: 'harbor.example/a:1',
      _policy: 'p',
      _dryRun: 'false',
      _durationMs: 12.5,
    });
  });

  it('takes a stack for the full message of a fault', () => {
    const { full_message: full, ...rest } = of({ level: 'error', fields: { stack: 'Error: x\n  at y' } });
    expect(full).to.equal('Error: x\n  at y');
    expect(rest).not.to.have.property('_stack');
  });

  it('gives no field the name of one that Graylog sets or refuses', () => {
    const fields = { id: 'a', source: 'flag', message: 'm', level: 'x', timestamp: 1, streams: 's' };
    expect(of({ fields })).to.include({
      _id_: 'a',
      _source_: 'flag',
      _message_: 'm',
      _level_: 'x',
      _timestamp_: 1,
      _streams_: 's',
      level: 6,
    });
  });

  it('is legal whatever comes in', () => {
    const value = fc.oneof(fc.string({ unit: 'binary' }), fc.double(), fc.boolean(), fc.constant(undefined));
    const fields = fc.dictionary(fc.string({ unit: 'binary' }), value);
    fc.assert(
      fc.property(fields, fc.string({ unit: 'binary' }), (given, message) => {
        const bytes = encodeGelf(of({ message, fields: given }));
        expect(bytes.includes(0)).to.equal(false);
        const read = JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
        expect(String(read['short_message']).trim()).not.to.equal('');
        for (const [name, found] of Object.entries(read)) {
          expect(name).to.match(/^[\w.-]*$/);
          expect(typeof found).to.be.oneOf(['string', 'number']);
        }
        expect(read).not.to.have.property('_id');
      }),
    );
  });

  it('bounds texts and fields', () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`f${at}`, 'x'.repeat(10_000)]));
    const message = of({
      message: 'y'.repeat(100_000),
      fields: { ...many, explanation: 'z'.repeat(100_000) },
    });
    expect(message.short_message).to.have.lengthOf(2003);
    expect(message.full_message).to.have.lengthOf(32_771);
    expect(Object.keys(message).filter((name) => name.startsWith('_'))).to.have.lengthOf(100);
    expect(message['_f0']).to.have.lengthOf(4099);
  });

  it('is made to fit by cutting its full message, then its fields', () => {
    const message = of({ fields: { image: 'a', explanation: 'z'.repeat(20_000) } });
    const fitting = (bytes: number): GelfMessage =>
      shortenGelf(message, (candidate) => encodeGelf(candidate).length <= bytes);
    expect(fitting(1_000_000)).to.deep.equal(message);
    expect(fitting(6000).full_message).to.match(/^z{5000}\.{3}$/);
    expect(fitting(6000)).to.include({ _image: 'a' });
    const { full_message: _full, ...bare } = message;
    expect(fitting(encodeGelf(bare).length)).to.deep.equal(bare);
    expect(bare).to.include({ _image: 'a' });
    expect(Object.keys(fitting(1))).to.deep.equal(['version', 'host', 'short_message', 'timestamp', 'level']);
  });
});
