import { expect } from 'chai';
import { SharedWork } from '../../../src/model/shared-work.ts';

/** Work that runs until it is told to end, or stopped. */
function openWork() {
  const done = Promise.withResolvers<string>();
  const work = { starts: 0, wasStopped: false, end: done.resolve };
  const start = (signal: AbortSignal): Promise<string> => {
    work.starts += 1;
    signal.addEventListener('abort', () => {
      work.wasStopped = true;
    });
    return done.promise;
  };
  return { work, start };
}

describe('SharedWork', () => {
  const { signal } = new AbortController();

  it('runs once for all who wait at the same time, and anew afterwards', async () => {
    const shared = new SharedWork<string>();
    const { work, start } = openWork();
    const waiting = [shared.join('a', start, signal), shared.join('a', start, signal)];
    work.end('done');
    expect(await Promise.all(waiting)).to.deep.equal(['done', 'done']);
    expect(work.starts).to.equal(1);
    await shared.join('a', start, signal);
    expect(work.starts).to.equal(2);
  });

  it('goes on while somebody waits, and stops when the last one has gone', async () => {
    const shared = new SharedWork<string>();
    const { work, start } = openWork();
    const [first, last] = [new AbortController(), new AbortController()];
    const waiting = [first, last].map((one) => shared.join('a', start, one.signal).catch(String));
    first.abort(new Error('first'));
    expect(await waiting[0]).to.equal('Error: first');
    expect(work.wasStopped).to.equal(false);
    last.abort(new Error('last'));
    expect(await waiting[1]).to.equal('Error: last');
    expect(work.wasStopped).to.equal(true);
  });

  it('stops when it is closed', async () => {
    const closing = new AbortController();
    const shared = new SharedWork<string>(closing.signal);
    const { work, start } = openWork();
    const waiting = shared.join('a', start, signal);
    closing.abort();
    expect(work.wasStopped).to.equal(true);
    work.end('late');
    expect(await waiting).to.equal('late');
  });
});
