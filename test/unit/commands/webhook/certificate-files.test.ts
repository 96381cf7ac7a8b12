import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { CertificateFilesSource } from '../../../../src/commands/webhook/certificate-files.ts';
import type { LogFields } from '../../../../src/model/log.ts';
import { VirtualClock, settle } from '../../kube/virtual-clock.ts';
import { rejectionOf } from '../../registry/rejection.ts';

describe('a serving certificate in files', () => {
  let folder = '';
  let lines: (readonly [string, LogFields])[] = [];
  const log = {
    info: (message: string, fields: LogFields = {}) => lines.push([message, fields]),
    warn: (message: string, fields: LogFields = {}) => lines.push([message, fields]),
  };
  const write = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text);
  const open = (clock: VirtualClock): Promise<CertificateFilesSource> =>
    CertificateFilesSource.open(
      { certificate: join(folder, 'crt'), key: join(folder, 'key') },
      { clock, log },
    );

  beforeEach(async () => {
    lines = [];
    folder = await mkdtemp(join(tmpdir(), 'chainwright-tls-'));
    await write('crt', 'one');
    await write('key', 'key one');
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  it('is read at once', async () => {
    const source = await open(new VirtualClock());
    expect(source.current()).to.deep.equal({ certificatePem: 'one', keyPem: 'key one', authorityPem: '' });
  });

  it('is refused with ERR_ADMISSION_CERTIFICATE where it cannot be read', async () => {
    await rm(join(folder, 'key'));
    expect((await rejectionOf(open(new VirtualClock()))).code).to.equal('ERR_ADMISSION_CERTIFICATE');
  });

  it('is taken over when the files change, and kept while they cannot be read or are refused', async () => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    const source = await open(clock);
    const taken: string[] = [];
    source.onChange(({ certificatePem, keyPem }) => {
      if (keyPem !== `key ${certificatePem}`) throw new Error('they do not fit together');
      taken.push(certificatePem);
    });
    const running = source.run({ signal: stop.signal });
    const later = async (): Promise<void> => {
      await clock.advance(20_000);
      // It sleeps again once it has looked.
      while (clock.sleeping === 0) await settle();
    };
    await later();
    expect(taken).to.deep.equal([]);
    await write('crt', 'two');
    await later();
    expect([taken, source.current().certificatePem]).to.deep.equal([[], 'one']);
    await write('key', 'key two');
    await later();
    expect([taken, source.current().certificatePem]).to.deep.equal([['two'], 'two']);
    await rm(join(folder, 'crt'));
    await later();
    expect(source.current().certificatePem).to.equal('two');
    expect(lines.map(([message]) => message)).to.deep.equal([
      'the serving certificate in the files was not taken over',
      'the serving certificate in the files was taken over',
      'the serving certificate in the files was not taken over',
    ]);
    stop.abort();
    await running;
  });
});
