import type { LogFields } from '../model/log.ts';
import type { EntryVerifier } from './entry-verifier.ts';
import type { ReadEntry } from './read-entry.ts';

/** What an alarm is about. */
export const alarmKinds = [
  /** Somebody signed as us, and our controller meant no such thing. */
  'UnexplainedEntry',
  /** The log does not go on from the state that it signed before, or gives other entries than it signed. */
  'LogForked',
  /** The log signed a smaller tree than before. */
  'LogShrank',
  /** An entry that the log signed for, or took from us, is not there. */
  'EntryMissing',
  /** The log could not be read for long. */
  'LogUnreachable',
] as const;

/** One of {@link alarmKinds}. */
export type AlarmKind = (typeof alarmKinds)[number];

/** An alarm, with all that its receiver needs to look into it. */
export interface Alarm {
  readonly kind: AlarmKind;
  readonly message: string;
  readonly fields: LogFields;
}

/** The alarm about an entry that nothing explains; `signers` are those of it who are watched for. */
export function unexplained(
  log: string,
  entry: Omit<ReadEntry, 'verifiers'>,
  signers: readonly EntryVerifier[],
): Alarm {
  return {
    kind: 'UnexplainedEntry',
    message: 'somebody signed as us: the log has an entry that our controller did not mean to make',
    fields: describeEntry(log, entry, signers),
  };
}

/** What there is to tell about an entry and the first of its signers. */
export function describeEntry(
  log: string,
  { logIndex, uuid, integratedTime, kind, payloadDigest }: Omit<ReadEntry, 'verifiers'>,
  [signer]: readonly EntryVerifier[],
): LogFields {
  const { certificate } = signer ?? {};
  return {
    log,
    logIndex,
    uuid,
    loggedAt: integratedTime === undefined ? undefined : new Date(integratedTime * 1000).toISOString(),
    entryKind: kind,
    payloadDigest,
    identity: certificate?.subjects.join(' '),
    issuer: certificate?.issuer,
    certificateSerial: certificate?.serial,
    certificateSha256: certificate?.sha256,
    certificateNotBefore: certificate?.notBefore,
    keyFingerprint: signer?.fingerprint,
  };
}
