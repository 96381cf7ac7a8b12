import { expect } from 'chai';
import { systemClock } from '../../../src/telemetry/system-clock.ts';

describe('telemetry: system clock', () => {
  it('sleeps, and tells the time', async () => {
    const start = systemClock.now().getTime();
    await systemClock.sleep(20, new AbortController().signal);
    expect(systemClock.now().getTime() - start).to.be.at.least(15);
  });

  it("rejects with the signal's reason, before and in mid-sleep, also for sleeps beyond a timer's reach", async () => {
    const reason = new Error('stop');
    const reasonOf = (ms: number, signal: AbortSignal): Promise<unknown> =>
      systemClock.sleep(ms, signal).then(
        () => 'slept',
        (error: unknown) => error,
      );
    expect(await reasonOf(0, AbortSignal.abort(reason))).to.equal(reason);
    expect(await reasonOf(10, AbortSignal.abort(reason))).to.equal(reason);
    const controller = new AbortController();
    const outcome = reasonOf(2 ** 40, controller.signal);
    await systemClock.sleep(10, new AbortController().signal);
    controller.abort(reason);
    expect(await outcome).to.equal(reason);
  });
});
