import type { Settings } from '../../settings/settings-schema.ts';
import { createLog } from '../../telemetry/logger.ts';
import type { RunningLog } from '../../telemetry/logger.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import type { Environment } from './cluster.ts';

/** The log of this process, on standard error and to Graylog, as the settings want it; to be closed at the end. */
export function openProcessLog({ telemetry }: Settings, environment: Environment): RunningLog {
  return createLog({
    level: telemetry.logLevel,
    format: telemetry.logFormat,
    stream: process.stderr,
    clock: systemClock,
    noColor: environment['NO_COLOR'],
    gelf: telemetry.gelf,
  });
}

/** PEM files with authorities that are trusted for every host: SSL_CERT_FILE, as OpenSSL and Go read it. */
export function trustedFilesOf(environment: Environment): readonly string[] {
  const file = environment['SSL_CERT_FILE'];
  return file === undefined || file === '' ? [] : [file];
}
