import { expect } from 'chai';
import { AppError } from '../../../src/model/errors.ts';
import { noAlarms } from '../../../src/monitor/alarm-book.ts';
import { statusOf, withKept } from '../../../src/monitor/monitor-status.ts';
import type { MonitorFacts } from '../../../src/monitor/monitor-status.ts';
import { emptyRange, rootOfRange } from '../../../src/transparency/compact-range.ts';

const head = { treeSize: 12n, rootHash: rootOfRange(emptyRange) };
const standing: MonitorFacts['standing'] = {
  position: { treeId: '1', firstIndex: 5, ended: [], range: { ...emptyRange, size: 7n }, head },
  ...{ behind: 0, pending: 1, caughtUpAt: new Date('2026-10-01T10:11:12Z'), raised: [] },
};
const facts: MonitorFacts = {
  spec: {},
  ...{ obstacle: undefined, fault: undefined, standing, alarms: noAlarms },
  ...{ receiverFault: undefined, storeFault: undefined },
};
const fault = new AppError('ERR_LOG_UNREACHABLE', 'away', { kind: 'passing' });
const last = {
  kind: 'UnexplainedEntry',
  message: 'somebody signed as us',
  fields: { logIndex: 9, identity: 'us', entryKind: 'dsse' },
  raisedAt: '2026-10-01T00:00:00Z',
} as const;
const conditionsOf = (more: Partial<MonitorFacts>): readonly string[] =>
  statusOf({ ...facts, ...more }).findings.map(({ type, status, reason }) => `${type}=${status} ${reason}`);

describe('statusOf', () => {
  it('is content while there is nothing to tell', () => {
    expect(conditionsOf({})).to.deep.equal([
      'Ready=True Following',
      'Healthy=True NoAlarm',
      'CaughtUp=True AtEnd',
      'StateStored=True Written',
    ]);
  });

  it('knows nothing at the start', () => {
    const spec = { webhook: { url: 'https://a' } };
    expect(conditionsOf({ spec, standing: undefined, alarms: undefined })).to.deep.equal([
      'Ready=Unknown Starting',
      'Healthy=Unknown Starting',
      'CaughtUp=Unknown Starting',
      'StateStored=Unknown Starting',
      'Delivered=Unknown Starting',
    ]);
  });

  it('is unhealthy until every alarm is acknowledged', () => {
    const alarms = { ...noAlarms, count: 2, last };
    expect(conditionsOf({ alarms })).to.include('Healthy=False UnexplainedEntry');
    expect(conditionsOf({ alarms, spec: { acknowledgedAlarms: 1 } })).to.include(
      'Healthy=False UnexplainedEntry',
    );
    expect(conditionsOf({ alarms, spec: { acknowledgedAlarms: 2 } })).to.include('Healthy=True NoAlarm');
  });

  it('is unhealthy while an alarm about the log holds, acknowledged or not', () => {
    const forked = { ...standing, raised: ['LogForked'] as const };
    const alarms = { ...noAlarms, count: 1, last: { ...last, kind: 'LogForked' as const } };
    expect(conditionsOf({ standing: forked, alarms, spec: { acknowledgedAlarms: 1 } })).to.include(
      'Healthy=False LogForked',
    );
  });

  it('tells what keeps it from the end of the log', () => {
    expect(conditionsOf({ fault })).to.include('CaughtUp=False Interrupted');
    expect(conditionsOf({ standing: { ...standing, behind: 4 } })).to.include('CaughtUp=False Reading');
    expect(conditionsOf({ obstacle: fault })).to.include.members([
      'Ready=False Unavailable',
      'CaughtUp=False Interrupted',
    ]);
    expect(conditionsOf({ storeFault: 'no' })).to.include('StateStored=False NotWritten');
  });

  it('tells of the receiver only where there is one', () => {
    const spec = { webhook: { url: 'https://a' } };
    const waiting = { ...noAlarms, undelivered: [last] };
    expect(conditionsOf({ spec })).to.include('Delivered=True NothingWaits');
    expect(conditionsOf({ spec, alarms: waiting })).to.include('Delivered=False Delivering');
    expect(conditionsOf({ spec, alarms: waiting, receiverFault: 'no' })).to.include(
      'Delivered=False Refused',
    );
    expect(conditionsOf({ alarms: waiting }).join(' ')).to.not.include('Delivered');
  });

  it('gives the figures, and what is known of the last alarm', () => {
    const { fields } = statusOf({ ...facts, alarms: { ...noAlarms, count: 1, forged: 2, last } });
    expect(fields).to.deep.equal({
      checkpoint: { tree: '1', size: 12, rootHash: Buffer.from(head.rootHash).toString('hex') },
      nextIndex: 12,
      pending: 1,
      behind: 0,
      lastCaughtUpTime: '2026-10-01T10:11:00Z',
      alarms: 1,
      undeliveredAlarms: 0,
      forgedCertificates: 2,
      lastAlarm: {
        ...{ kind: 'UnexplainedEntry', time: '2026-10-01T00:00:00Z', message: 'somebody signed as us' },
        ...{ logIndex: 9, identity: 'us' },
      },
    });
  });
});

describe('withKept', () => {
  const place = { nextIndex: 12, checkpoint: { size: 12 }, pending: 1 };
  const told = { alarms: 1, undeliveredAlarms: 0, forgedCertificates: 2, lastAlarm: { kind: 'LogForked' } };
  const before = { ...place, ...told, behind: 3 };

  it('keeps how far the log was read, and the alarms, for as long as they are not known anew', () => {
    expect(withKept({}, before)).to.deep.equal({ ...place, ...told });
    expect(withKept({ nextIndex: 20 }, before)).to.deep.equal({ nextIndex: 20, ...told });
  });

  it('keeps no alarm that the state does not know', () => {
    const { fields } = statusOf({ ...facts, standing: undefined });
    expect(withKept(fields, before)).to.deep.equal({ ...place, ...fields });
    expect(fields).to.not.have.property('lastAlarm');
  });
});
