import { AppError } from '../model/errors.ts';
import { isSignedByLog } from './log-key.ts';
import type { LogKey } from './log-key.ts';

/** A log's signed word about its size and root (C2SP tlog-checkpoint in a C2SP signed-note). */
export interface Checkpoint {
  /** Name of the log, and for Rekor v1 its tree. */
  readonly origin: string;
  readonly treeSize: bigint;
  readonly rootHash: Buffer;
}

const maxLength = 64 * 1024;
const maxSignatures = 32;
const keyHintBytes = 4;
const signatureLine = /^\u2014 \S+ ([a-z0-9+/]+={0,2})$/i;

/** Parses a checkpoint and requires a signature of `key` on it. Throws ERR_LOG_CHECKPOINT. */
export function openCheckpoint(envelope: string, key: LogKey): Checkpoint {
  const split = envelope.indexOf('\n\n');
  if (split === -1 || envelope.length > maxLength) throw refuse('it is no signed note');
  const note = envelope.slice(0, split + 1);
  const lines = envelope
    .slice(split + 2)
    .split('\n')
    .filter((line) => line !== '');
  if (lines.length > maxSignatures) throw refuse('it has too many signatures');
  const isSigned = lines.some((line) => {
    const [, encoded] = signatureLine.exec(line) ?? [];
    const signature = Buffer.from(encoded ?? '', 'base64').subarray(keyHintBytes);
    return signature.length > 0 && isSignedByLog(key, Buffer.from(note), signature);
  });
  if (!isSigned) throw refuse('it bears no signature of the log');
  return parseNote(note);
}

function parseNote(note: string): Checkpoint {
  const [origin = '', size = '', root = ''] = note.split('\n');
  const rootHash = Buffer.from(root, 'base64');
  if (origin === '' || !/^(?:0|[1-9]\d{0,18})$/.test(size) || rootHash.length !== 32) {
    throw refuse('its lines are malformed');
  }
  return { origin, treeSize: BigInt(size), rootHash };
}

function refuse(why: string): AppError {
  return new AppError('ERR_LOG_CHECKPOINT', `the log's checkpoint cannot be believed: ${why}`, {
    kind: 'passing',
    remedy: "Check that the trust root holds this log's key.",
  });
}
