import { expect } from 'chai';
import { RereadFile } from '../../../../src/commands/wiring/reread-file.ts';
import { VirtualClock } from '../../kube/virtual-clock.ts';

const { signal } = new AbortController();

describe('a file that is read again', () => {
  const complaints: unknown[] = [];
  const log = { warn: (message: string) => complaints.push(message) };
  let clock: VirtualClock;
  let readings: PromiseWithResolvers<string>[];
  let file: RereadFile<string>;

  beforeEach(async () => {
    complaints.length = 0;
    clock = new VirtualClock();
    readings = [];
    const load = (): Promise<string> => {
      const reading = Promise.withResolvers<string>();
      readings.push(reading);
      return reading.promise;
    };
    file = new RereadFile(load, { clock, log });
    const first = file.current({ signal });
    readings[0]?.resolve('old');
    await first;
    await clock.advance(10_000);
  });

  it('gives the new content to all who ask while it is read', async () => {
    const asked = [file.current({ signal }), file.current({ signal })];
    readings[1]?.resolve('new');
    expect(await Promise.all(asked)).to.deep.equal(['new', 'new']);
    expect(await file.current({ signal })).to.equal('new');
    expect(readings).to.have.lengthOf(2);
  });

  it('counts as it was where it cannot be read any more', async () => {
    const asked = file.current({ signal });
    readings[1]?.reject(new Error('gone'));
    expect(await asked).to.equal('old');
    expect(complaints).to.have.lengthOf(1);
  });

  it('keeps nobody who is to end', async () => {
    const asked = file.current({ signal: AbortSignal.abort() }).catch((error: unknown) => String(error));
    readings[1]?.resolve('new');
    expect(await asked).to.include('AbortError');
    expect(await file.current({ signal })).to.equal('new');
  });
});
