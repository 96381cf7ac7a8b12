import { expect } from 'chai';
import { AppError } from '../../../src/model/errors.ts';
import { ExternalValues } from '../../../src/reconcilers/policy-external-values.ts';
import { VirtualClock } from '../kube/virtual-clock.ts';

const { signal } = new AbortController();

describe('values outside the cluster', () => {
  let clock: VirtualClock;
  let values: ExternalValues<string>;
  let loads: number;
  let next: string | Error;

  beforeEach(() => {
    clock = new VirtualClock();
    values = new ExternalValues({ maxAgeMs: 10_000, clock });
    loads = 0;
    next = 'first';
  });

  const get = (): Promise<string> =>
    values.get(
      'url',
      () => {
        loads += 1;
        return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
      },
      signal,
    );
  const fault = (kind: 'passing' | 'permanent'): AppError => new AppError('ERR_X', 'it is away', { kind });
  const codeOf = async (work: Promise<unknown>): Promise<unknown> => {
    const thrown: unknown = await work.catch((error: unknown) => error);
    return thrown instanceof AppError ? `${thrown.code} ${thrown.kind}` : thrown;
  };

  it('are read once until they are too old, by all who ask at once', async () => {
    expect(await Promise.all([get(), get()])).to.deep.equal(['first', 'first']);
    await clock.advance(9999);
    await get();
    expect(loads).to.equal(1);
    await clock.advance(1);
    next = 'second';
    expect(await get()).to.equal('second');
  });

  it('serve on while their server is away, which is told; each failure is waited for once', async () => {
    await get();
    await clock.advance(10_000);
    next = fault('passing');
    expect([await get(), await get()]).to.deep.equal(['first', 'first']);
    expect(loads).to.equal(2);
    expect(values.faultOf('url')?.message).to.equal('it is away');
    await clock.advance(1000);
    next = 'second';
    expect(await get()).to.equal('second');
    expect(values.faultOf('url')).to.equal(undefined);
  });

  it('do not serve on after a lasting fault', async () => {
    await get();
    await clock.advance(10_000);
    next = fault('permanent');
    expect(await codeOf(get())).to.equal('ERR_X permanent');
  });

  it('throw where there is no older one; a network fault as passing ERR_POLICY_REFERENCE', async () => {
    next = fault('passing');
    expect(await codeOf(get())).to.equal('ERR_X passing');
    next = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
    expect(await codeOf(get())).to.equal('ERR_POLICY_REFERENCE passing');
  });
});
