import { z } from 'zod';
import { AppError } from '../model/errors.ts';
import { isWellFormed } from '../transparency/compact-range.ts';
import type { CompactRange } from '../transparency/compact-range.ts';
import type { TreeHead } from '../transparency/consistency-proof.ts';
import { alarmKinds } from './alarm.ts';
import type { AlarmKind } from './alarm.ts';
import { noAlarms } from './alarm-book.ts';
import type { StoredAlarms } from './alarm-book.ts';
import type { StoredIntents } from './intent-memory.ts';
import type { ReadEntry } from './read-entry.ts';

/** An entry of a watched signer that nothing explains so far; its verifiers are the watched ones. */
export interface PendingEntry extends ReadEntry {
  /** When it was read, in milliseconds since the epoch. */
  readonly readAtMs: number;
}

/** A tree of a log that has stopped growing, as the log last signed it. */
export interface EndedTree {
  readonly treeId: string;
  /** Index over all shards of its first entry. */
  readonly firstIndex: number;
  readonly head: TreeHead;
}

/** Where a follower stands in a log. */
export interface LogPosition {
  /** The trees before this one, oldest first; the reader bounds their number. */
  readonly ended: readonly EndedTree[];
  readonly treeId: string;
  /** Index over all shards of the tree's first entry. */
  readonly firstIndex: number;
  /** Entries of the tree up to here were read and judged. */
  readonly range: CompactRange;
  /** The last state of the tree that the log signed and that was verified; the range lies within it. */
  readonly head: TreeHead;
}

/** All that a monitor has to know after a restart. */
export interface MonitorState {
  /** Index at which watching began. */
  readonly since: number;
  readonly position: LogPosition;
  readonly pending: readonly PendingEntry[];
  readonly intents: StoredIntents;
  /** Alarms about the log itself that were raised and still hold. */
  readonly raised: readonly AlarmKind[];
  readonly alarms: StoredAlarms;
}

const index = z.int().nonnegative();
const hex = z.string().regex(/^[0-9a-f]{64}$/);
const node = hex.transform((text) => Buffer.from(text, 'hex'));
const size = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform(BigInt);
const verifier = z.object({
  fingerprint: hex,
  certificate: z
    .object({
      subjects: z.array(z.string()),
      issuer: z.string(),
      serial: z.string(),
      sha256: hex,
      notBefore: z.string(),
    })
    .exactOptional(),
});
const alarm = z.object({
  kind: z.enum(alarmKinds),
  message: z.string(),
  fields: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  raisedAt: z.string(),
});
const tree = {
  treeId: z.string(),
  firstIndex: index,
  head: z.object({ treeSize: size, rootHash: node }),
};
const stateShape = z.object({
  version: z.literal(1),
  log: z.string(),
  since: index,
  position: z.object({
    ...tree,
    // States that were written before they were kept: those that the log shows are taken for them.
    ended: z.array(z.object(tree)).default([]),
    range: z.object({ size, hashes: z.array(node) }).refine(isWellFormed),
  }),
  pending: z.array(
    z.object({
      logIndex: index,
      uuid: z.string(),
      integratedTime: index.optional().transform((seconds) => seconds),
      kind: z.string(),
      payloadDigest: z
        .string()
        .optional()
        .transform((text) => text),
      verifiers: z.array(verifier),
      readAtMs: z.number(),
    }),
  ),
  intents: z.object({
    noted: z.array(z.tuple([z.string(), index.nullable()])),
    promised: z.array(
      z.object({
        logIndex: index,
        payloadDigest: z.string(),
        signedDigest: z.string().exactOptional(),
        awaitedSinceMs: z.number().exactOptional(),
        keyFingerprints: z.array(hex),
        record: z.string(),
        subject: z.string(),
      }),
    ),
  }),
  raised: z.array(z.enum(alarmKinds)),
  alarms: z
    .object({
      count: index,
      forged: index,
      last: alarm.optional().transform((last) => last),
      undelivered: z.array(alarm),
      dropped: index,
    })
    // Files that were written before there was one.
    .optional(),
});

/** The state as text. */
export function encodeState(log: string, state: MonitorState): string {
  const written = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);
  const { position } = state;
  const stored = {
    version: 1,
    log,
    ...state,
    position: {
      ...position,
      ended: position.ended.map((tree) => ({ ...tree, head: toText(tree.head) })),
      range: { size: position.range.size, hashes: position.range.hashes.map(toHex) },
      head: toText(position.head),
    },
  };
  return `${JSON.stringify(stored, written)}\n`;
}

/** The state in a text that {@link encodeState} made for this log. Throws ERR_MONITOR_STATE. */
export function decodeState(log: string, text: string, object: string): MonitorState {
  try {
    const { version: _, log: stored, pending, alarms, ...state } = stateShape.parse(JSON.parse(text));
    if (stored !== log) throw new Error(`it is that of the log ${stored}`);
    return {
      ...state,
      alarms: alarms === undefined ? noAlarms : { ...alarms, last: alarms.last },
      pending: pending.map((entry) => ({
        ...entry,
        payloadDigest: entry.payloadDigest,
        integratedTime: entry.integratedTime,
      })),
    };
  } catch (error) {
    throw new AppError('ERR_MONITOR_STATE', `${object} holds no state of a monitor of ${log}`, {
      kind: 'permanent',
      object,
      remedy: 'Put it back from a copy; without it the monitor starts anew.',
      cause: error,
    });
  }
}

function toText({ treeSize, rootHash }: TreeHead): object {
  return { treeSize, rootHash: toHex(rootHash) };
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
