import { z } from 'zod';
import { AppError } from '../model/errors.ts';
import { logMonitorSchema } from './log-monitor-schema.ts';
import type { LogMonitorSpec } from './log-monitor-schema.ts';
import { apiVersion } from './settings-object.ts';
import { listIssues } from './settings-fault.ts';

const objectSchema = z.looseObject({
  apiVersion: z.literal(apiVersion),
  kind: z.literal('LogMonitor'),
  spec: logMonitorSchema,
});

/** What a LogMonitor asks for; nothing in it is believed before it fits the schema. Throws ERR_MONITOR_OBJECT. */
export function parseLogMonitor(object: unknown, name: string): LogMonitorSpec {
  const parsed = objectSchema.safeParse(object);
  if (!parsed.success) {
    const [first] = listIssues(parsed.error, object);
    throw invalidLogMonitor(name, `${first?.path.join('.') ?? ''} ${first?.rule ?? ''}`, parsed.error);
  }
  const { identities = [], keys = [] } = parsed.data.spec;
  if (identities.length === 0 && keys.length === 0) {
    throw invalidLogMonitor(name, 'nothing tells whom to watch for');
  }
  return parsed.data.spec;
}

/** A LogMonitor that cannot be followed as it is. */
export function invalidLogMonitor(name: string, why: string, cause?: unknown): AppError {
  return new AppError('ERR_MONITOR_OBJECT', `LogMonitor ${name} cannot be used: ${why}`, {
    kind: 'permanent',
    object: name,
    remedy: 'Correct the object; docs/monitor.md tells its fields.',
    cause,
  });
}
