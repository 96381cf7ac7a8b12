import { expect } from 'chai';

import { isAlive, startTimeOf } from '../../../hack/stack/process/identity.ts';

describe('process identity', () => {
  it('tells a process from another that got its pid', async () => {
    const startTime = await startTimeOf(process.pid);
    expect(startTime).to.match(/^\d+$/);
    expect(await isAlive({ pid: process.pid, startTime: startTime ?? '' })).to.equal(true);
    expect(await isAlive({ pid: process.pid, startTime: '1' })).to.equal(false);
  });

  it('knows no process where there is none', async () => {
    expect(await startTimeOf(2 ** 22 + 1)).to.equal(undefined);
  });
});
