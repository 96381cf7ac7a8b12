import { z } from 'zod';
import type { KubeObject } from '../kube/kube-object.ts';
import { alarmKinds } from './alarm.ts';
import { noAlarms } from './alarm-book.ts';
import type { RaisedAlarm, StoredAlarms } from './alarm-book.ts';

/** What the status of a LogMonitor says of earlier looks at the log: all there is once what they stored is lost. */
export interface StatedProgress {
  /** Index up to which the log was read; undefined if it was not. */
  readonly nextIndex: number | undefined;
  readonly alarms: StoredAlarms;
}

const count = z.int().nonnegative().catch(0);
const statusShape = z.object({
  nextIndex: z.int().nonnegative().optional().catch(undefined),
  alarms: count,
  forgedCertificates: count,
  undeliveredAlarms: count,
  lastAlarm: z
    .object({ kind: z.enum(alarmKinds), time: z.string(), message: z.string() })
    .catchall(z.union([z.string(), z.number(), z.boolean()]))
    .transform(({ kind, time, message, ...fields }): RaisedAlarm => ({
      kind,
      message,
      fields,
      raisedAt: time,
    }))
    .optional()
    .catch(undefined),
});

/** Reads it off the object; what a status does not have was never there. */
export function statedProgressOf(object: KubeObject): StatedProgress {
  const { data } = statusShape.safeParse(object['status']);
  if (data === undefined) return { nextIndex: undefined, alarms: noAlarms };
  const { nextIndex, alarms, forgedCertificates, undeliveredAlarms, lastAlarm } = data;
  return {
    nextIndex,
    alarms: {
      ...{ count: alarms, forged: forgedCertificates, last: lastAlarm, undelivered: [] },
      // What their calls would have said was lost with what was stored.
      dropped: undeliveredAlarms,
    },
  };
}
