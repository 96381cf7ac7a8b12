import { expect } from 'chai';
import { silentLog } from '../../../src/model/log.ts';
import { SharedParts } from '../../../src/reconcilers/shared-parts.ts';
import { settle } from '../kube/virtual-clock.ts';

class Part implements AsyncDisposable {
  readonly name: string;
  readonly closed: string[];

  constructor(name: string, closed: string[]) {
    this.name = name;
    this.closed = closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.closed.push(this.name);
    return Promise.resolve();
  }
}

describe('shared parts', () => {
  let closed: string[];
  let opened: string[];
  let parts: SharedParts<Part>;

  beforeEach(() => {
    closed = [];
    opened = [];
    parts = new SharedParts<Part>({ maxIdle: 1, log: silentLog });
  });

  const lease = (name: string): ReturnType<typeof parts.lease> =>
    parts.lease(name, () => {
      opened.push(name);
      return Promise.resolve(new Part(name, closed));
    });

  it('are opened once, however many use them at a time', async () => {
    const [first, second] = await Promise.all([lease('a'), lease('a')]);
    expect(first.part).to.equal(second.part);
    expect(opened).to.deep.equal(['a']);
  });

  it('are not closed while anybody uses them, and kept when idle up to the bound, the latest', async () => {
    const first = await lease('a');
    const again = await lease('a');
    (await lease('b'))[Symbol.dispose]();
    first[Symbol.dispose]();
    // Given back twice by mistake: the other user still has it.
    first[Symbol.dispose]();
    (await lease('c'))[Symbol.dispose]();
    await settle();
    expect(closed).to.deep.equal(['b']);
    again[Symbol.dispose]();
    await settle();
    expect(closed).to.deep.equal(['b', 'a']);
    expect([parts.has('a'), parts.has('c')]).to.deep.equal([false, true]);
  });

  it('that could not be opened are tried again', async () => {
    let isBroken = true;
    const open = (): Promise<Part> =>
      isBroken ? Promise.reject(new Error('away')) : Promise.resolve(new Part('a', closed));
    const failure = await parts.lease('a', open).catch((error: unknown) => error);
    expect(String(failure)).to.include('away');
    isBroken = false;
    expect((await parts.lease('a', open)).part.name).to.equal('a');
  });

  it('are all closed at the end', async () => {
    await lease('a');
    (await lease('b'))[Symbol.dispose]();
    await parts[Symbol.asyncDispose]();
    expect(closed.sort()).to.deep.equal(['a', 'b']);
  });
});
