import { expect } from 'chai';
import { createMonitorMetrics } from '../../../src/telemetry/monitor-metrics.ts';

describe('telemetry: metrics of log monitors', () => {
  const open = () => createMonitorMetrics({ version: '0', alarms: ['UnexplainedEntry', 'LogForked'] });

  it('has the counters of a monitor at 0 as soon as it exists, so that the first alarm is an increase', async () => {
    const metrics = open();
    expect(await metrics.render()).not.to.include('logmonitor=');
    const one = metrics.of('one');
    const lines = (await metrics.render()).split('\n');
    expect(lines).to.include.members([
      'chainwright_monitor_alarms_total{logmonitor="one",alarm="UnexplainedEntry"} 0',
      'chainwright_monitor_alarms_total{logmonitor="one",alarm="LogForked"} 0',
      ...['foreign', 'explained', 'pending', 'forged'].map(
        (outcome) => `chainwright_monitor_entries_total{logmonitor="one",outcome="${outcome}"} 0`,
      ),
      ...['delivered', 'failed', 'dropped'].map(
        (outcome) => `chainwright_monitor_webhook_calls_total{logmonitor="one",outcome="${outcome}"} 0`,
      ),
    ]);
    one.alarmRaised('UnexplainedEntry');
    expect(await metrics.render()).to.include('logmonitor="one",alarm="UnexplainedEntry"} 1');
  });

  it('keeps the counts of a monitor that begins anew, and drops those of one that is gone', async () => {
    const metrics = open();
    metrics.of('one').alarmRaised('LogForked');
    metrics.of('one');
    metrics.of('two');
    expect(await metrics.render()).to.include('logmonitor="one",alarm="LogForked"} 1');
    metrics.forget('one');
    await Promise.resolve();
    const page = await metrics.render();
    expect(page).not.to.include('logmonitor="one"');
    expect(page).to.include('logmonitor="two",alarm="LogForked"} 0');
  });
});
