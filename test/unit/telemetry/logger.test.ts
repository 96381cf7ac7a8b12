import { PassThrough, Writable } from 'node:stream';
import { expect } from 'chai';
import { createLog } from '../../../src/telemetry/logger.ts';
import type { LogOptions, RunningLog } from '../../../src/telemetry/logger.ts';

const clock = { now: () => new Date(0) };

class Capture extends Writable {
  readonly lines: string[] = [];
  isTTY = false;
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.lines.push(chunk.toString());
    done();
  }
}

const logTo = (stream: Writable, options: Partial<LogOptions> = {}): RunningLog =>
  createLog({ level: 'info', format: 'json', stream, clock, ...options });

describe('telemetry: log', () => {
  it('writes a line for each event at its level or above', async () => {
    const stream = new Capture();
    const log = logTo(stream, { level: 'warn' });
    log.debug('a');
    log.info('b');
    log.warn('c', { run: 'build-1' });
    log.error('d');
    await log.close();
    expect(stream.lines).to.deep.equal([
      '{"time":"1970-01-01T00:00:00.000Z","level":"warn","message":"c","run":"build-1"}\n',
      '{"time":"1970-01-01T00:00:00.000Z","level":"error","message":"d"}\n',
    ]);
  });

  it('gives its fields to its children, and their own win', async () => {
    const stream = new Capture();
    const log = logTo(stream);
    log.child({ component: 'queue', run: 'a' }).child({ run: 'b' }).info('x', { attempt: 2 });
    await log.close();
    expect(JSON.parse(stream.lines[0] ?? '')).to.include({ component: 'queue', run: 'b', attempt: 2 });
  });

  it('changes its level at run time, for children too', async () => {
    const stream = new Capture();
    const log = logTo(stream);
    const child = log.child({});
    child.debug('before');
    log.setLevel('debug');
    child.debug('after');
    await log.close();
    expect(stream.lines.join('')).to.include('after').and.not.include('before');
  });

  it('writes text on a terminal, in colour unless NO_COLOR is set', async () => {
    const lineOf = async (noColor?: string): Promise<string> => {
      const stream = new Capture();
      stream.isTTY = true;
      const log = logTo(stream, { format: 'auto', noColor });
      log.info('x');
      await log.close();
      return stream.lines.join('');
    };
    expect(await lineOf()).to.include('\u001b[');
    expect(await lineOf('1')).to.match(/^\d\d:\d\d:\d\d INFO {2}x\n$/);
  });

  it('writes JSON where the stream is no terminal', async () => {
    const stream = new Capture();
    const log = logTo(stream, { format: 'auto' });
    log.info('x');
    await log.close();
    expect(stream.lines[0]).to.match(/^\{/);
  });

  it('survives a stream that breaks', async () => {
    const stream = new PassThrough();
    const log = logTo(stream);
    stream.destroy(new Error('EPIPE'));
    await new Promise(setImmediate);
    log.info('a');
    log.info('b');
    await log.close();
  });

  it('drops what comes after it was closed, and may be closed twice', async () => {
    const stream = new Capture();
    const log = logTo(stream);
    log.info('before');
    await log.close();
    log.child({}).error('after');
    await log.close();
    await new Promise(setImmediate);
    expect(stream.lines).to.have.lengthOf(1);
  });

  it('drops lines that nobody reads, and says how many once somebody does', async () => {
    const stream = new PassThrough({ highWaterMark: 1 });
    const log = logTo(stream);
    const text = 'x'.repeat(4000);
    for (let line = 0; line < 2000; line += 1) log.info('x', { text });
    expect(stream.writableLength).to.be.below(5 * 1024 * 1024);
    let seen = '';
    stream.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    await new Promise((resolve) => stream.once('drain', resolve));
    log.info('last');
    await log.close();
    await new Promise(setImmediate);
    expect(seen).to.match(/"message":"log lines dropped","count":\d+\}\n.*"last"/);
  });
});
