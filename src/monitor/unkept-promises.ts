import { isAppError } from '../model/errors.ts';
import type { ListedEntry, LogReader } from '../transparency/log-reader.ts';
import type { Alarm } from './alarm.ts';
import { isAbout } from './intent-memory.ts';
import type { IntentMemory, PromisedEntry, Waiting } from './intent-memory.ts';
import { readEntry } from './read-entry.ts';

interface CallOptions {
  readonly signal: AbortSignal;
}

/**
 * Alarms about entries that the log took from us by its own word, and that are neither among those read nor in their
 * place; `since` is the first index that was read. Each is settled once its alarm was taken. Throws what the reader throws.
 */
export async function* unkeptPromises(
  { reader, intents }: { readonly reader: LogReader; readonly intents: IntentMemory },
  { since, ...waiting }: Waiting & { readonly since: number },
  options: CallOptions,
): AsyncGenerator<Alarm, void, undefined> {
  const { end } = waiting;
  for (const promised of intents.unkept(waiting)) {
    // What lies before the first index that was read is not for us; what was read before its record came is looked up.
    const isKept = promised.logIndex < since || (await isKeptBy(reader, promised, end, options));
    if (!isKept) yield missing(reader.url, promised, end);
    intents.settle(promised);
  }
}

async function isKeptBy(
  reader: LogReader,
  promised: PromisedEntry,
  end: number,
  options: CallOptions,
): Promise<boolean> {
  if (promised.logIndex >= end) return false;
  const listed = await findEntry(reader, promised.logIndex, options);
  if (listed === undefined) return false;
  const entry = await readEntry(listed);
  return (
    isAbout(promised, entry.payloadDigest) &&
    entry.verifiers.some(({ fingerprint }) => promised.keyFingerprints.includes(fingerprint))
  );
}

async function findEntry(
  reader: LogReader,
  logIndex: number,
  options: CallOptions,
): Promise<ListedEntry | undefined> {
  try {
    return (await reader.readEntries(logIndex, 1, options))[0];
  } catch (error) {
    if (isAppError(error) && error.code === 'ERR_LOG_ENTRY_MISSING') return undefined;
    throw error;
  }
}

function missing(
  log: string,
  { logIndex, payloadDigest, record, subject }: PromisedEntry,
  end: number,
): Alarm {
  return {
    kind: 'EntryMissing',
    message:
      logIndex < end
        ? 'the log took an entry of ours, and something else stands in its place'
        : 'the log took an entry of ours, which never appeared',
    fields: { log, logIndex, payloadDigest, record, subject },
  };
}
