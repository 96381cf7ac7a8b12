import type { Finding } from '../kube/conditions.ts';
import type { AppError } from '../model/errors.ts';
import type { LogFields } from '../model/log.ts';
import type { LogMonitorSpec } from '../settings/log-monitor-schema.ts';
import type { StoredAlarms } from './alarm-book.ts';
import { indexAfter } from './log-monitor.ts';
import type { MonitorStanding } from './log-monitor.ts';

/** What is known of the following of one LogMonitor. */
export interface MonitorFacts {
  readonly spec: Pick<LogMonitorSpec, 'acknowledgedAlarms' | 'webhook'> | undefined;
  /** What keeps the log from being followed at all: the object, its trust root, a Secret, its state. */
  readonly obstacle: AppError | undefined;
  /** What ended the last look at the log, if it was not its end. */
  readonly fault: AppError | undefined;
  readonly standing: MonitorStanding | undefined;
  /** Undefined before it was read what was stored. */
  readonly alarms: StoredAlarms | undefined;
  readonly receiverFault: string | undefined;
  readonly storeFault: string | undefined;
}

/** The status that tells the story. */
export interface MonitorStatus {
  readonly findings: readonly Finding[];
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Conditions and fields of `status`; a field is left out where nothing is known. */
export function statusOf(facts: MonitorFacts): MonitorStatus {
  return {
    findings: [readiness(facts), health(facts), progress(facts), storage(facts), ...delivery(facts)],
    fields: fieldsOf(facts),
  };
}

const unread = {
  status: 'Unknown',
  reason: 'Starting',
  message: 'it was not read yet which alarms there were',
} as const;

function readiness({ obstacle, standing }: MonitorFacts): Finding {
  const type = 'Ready';
  if (obstacle !== undefined) {
    const reason = obstacle.kind === 'permanent' ? 'Invalid' : 'Unavailable';
    return { type, status: 'False', reason, message: told(obstacle) };
  }
  return standing?.position === undefined
    ? { type, status: 'Unknown', reason: 'Starting', message: 'the log was not looked at yet' }
    : { type, status: 'True', reason: 'Following', message: 'the log is followed' };
}

function health({ spec, standing, alarms }: MonitorFacts): Finding {
  const type = 'Healthy';
  if (alarms === undefined) return { type, ...unread };
  const { count, last } = alarms;
  const [held] = standing?.raised ?? [];
  if (held !== undefined) {
    const message = last?.kind === held ? last.message : `${held} was raised and still holds`;
    return { type, status: 'False', reason: held, message };
  }
  const open = count - (spec?.acknowledgedAlarms ?? 0);
  if (open <= 0 || last === undefined) {
    return { type, status: 'True', reason: 'NoAlarm', message: 'there is no alarm that nobody looked into' };
  }
  const { kind, message, fields } = last;
  const place = fields['logIndex'] === undefined ? '' : ` at index ${String(fields['logIndex'])}`;
  const told = `${open} not acknowledged (spec.acknowledgedAlarms); the last one: ${message}${place}`;
  return { type, status: 'False', reason: kind, message: told };
}

function progress({ obstacle, fault, standing }: MonitorFacts): Finding {
  const type = 'CaughtUp';
  const reasonOfFault = fault ?? obstacle;
  if (reasonOfFault !== undefined) {
    return { type, status: 'False', reason: 'Interrupted', message: told(reasonOfFault) };
  }
  if (standing?.behind === undefined) {
    return { type, status: 'Unknown', reason: 'Starting', message: 'the log was not looked at yet' };
  }
  return standing.behind > 0 || standing.caughtUpAt === undefined
    ? { type, status: 'False', reason: 'Reading', message: 'entries of the log are still to be read' }
    : { type, status: 'True', reason: 'AtEnd', message: 'the log was read to its end' };
}

function storage({ storeFault, standing }: MonitorFacts): Finding {
  const type = 'StateStored';
  if (storeFault !== undefined) return { type, status: 'False', reason: 'NotWritten', message: storeFault };
  return standing?.position === undefined
    ? { type, status: 'Unknown', reason: 'Starting', message: 'there is nothing to store yet' }
    : { type, status: 'True', reason: 'Written', message: 'how far the log was read is stored' };
}

function delivery({ spec, alarms, receiverFault }: MonitorFacts): readonly Finding[] {
  if (spec?.webhook === undefined) return [];
  const type = 'Delivered';
  if (alarms === undefined) return [{ type, ...unread }];
  const { undelivered, dropped } = alarms;
  const lost = dropped === 0 ? '' : `; ${dropped} alarms were given up`;
  if (undelivered.length > 0) {
    const message = `${undelivered.length} alarms wait${lost}: ${receiverFault ?? 'they are on their way'}`;
    return [
      { type, status: 'False', reason: receiverFault === undefined ? 'Delivering' : 'Refused', message },
    ];
  }
  return [{ type, status: 'True', reason: 'NothingWaits', message: `no alarm waits${lost}` }];
}

function fieldsOf({ standing, alarms }: MonitorFacts): Readonly<Record<string, unknown>> {
  const { position, behind, pending, caughtUpAt } = standing ?? {};
  return {
    ...(position === undefined
      ? {}
      : {
          checkpoint: {
            tree: position.treeId,
            size: Number(position.head.treeSize),
            rootHash: Buffer.from(position.head.rootHash).toString('hex'),
          },
          nextIndex: indexAfter(position),
          pending,
        }),
    ...(behind === undefined ? {} : { behind }),
    // To the minute: a status that says nothing else new need not be written with every look at the log.
    ...(caughtUpAt === undefined ? {} : { lastCaughtUpTime: `${caughtUpAt.toISOString().slice(0, 16)}:00Z` }),
    ...(alarms === undefined ? {} : alarmFields(alarms)),
  };
}

function alarmFields({ count, forged, last, undelivered }: StoredAlarms): Readonly<Record<string, unknown>> {
  return {
    alarms: count,
    undeliveredAlarms: undelivered.length,
    forgedCertificates: forged,
    ...(last === undefined
      ? {}
      : {
          lastAlarm: {
            kind: last.kind,
            time: last.raisedAt,
            message: last.message,
            ...detailsOf(last.fields),
          },
        }),
  };
}

// Each is known as a whole or not at all.
const keptFields = [
  ['nextIndex', 'checkpoint', 'pending'],
  ['alarms', 'undeliveredAlarms', 'forgedCertificates', 'lastAlarm'],
] as const;

/** Fields as they are to be written: what is not known (any more) stays as the status has it, for whoever goes on from there. */
export function withKept(
  fields: MonitorStatus['fields'],
  before: Readonly<Record<string, unknown>>,
): MonitorStatus['fields'] {
  const kept = keptFields.filter(([first]) => fields[first] === undefined).flat();
  const there = kept.filter((name) => before[name] !== undefined);
  return { ...Object.fromEntries(there.map((name) => [name, before[name]])), ...fields };
}

const detailNames = [
  'logIndex',
  'uuid',
  'loggedAt',
  'payloadDigest',
  'identity',
  'issuer',
  'certificateSerial',
  'certificateSha256',
] as const;

function detailsOf(fields: LogFields): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    detailNames.flatMap((name) => {
      const value = fields[name];
      if (value === undefined) return [];
      return [[name, typeof value === 'string' ? value.slice(0, 1024) : value]];
    }),
  );
}

function told({ code, message }: AppError): string {
  return `${code}: ${message}`;
}
