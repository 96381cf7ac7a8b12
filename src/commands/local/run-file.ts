import { readFile, stat } from 'node:fs/promises';
import type { Clock } from '../../model/clock.ts';
import { AppError, isAppError, messageOf } from '../../model/errors.ts';
import { fileFault, isTaskRun, maxTaskRunFileBytes, readObjects } from '../wiring/task-run-documents.ts';
import type { FoundObject } from '../wiring/task-run-documents.ts';

/** How long a file must have been left alone before it is believed to be whole, in milliseconds. */
const settleMs = 300;
const maxPauses = 100;

/**
 * The TaskRuns of a file that nobody is writing to any more; undefined if it is gone. A file that was cut off where
 * YAML happens to be complete would give a statement about half a run, so one that changed just now is waited for.
 * Throws ERR_LOCAL_FILE (passing) while it keeps on changing, and ERR_USAGE_TASKRUNS.
 */
export async function readRunFile(
  file: string,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<readonly FoundObject[] | undefined> {
  try {
    let version = await versionOf(file);
    let isQuiet = clock.now().getTime() - version.changedMs > settleMs;
    for (let pauses = 0; pauses < maxPauses; pauses += 1) {
      const text = isQuiet ? await readVersion(file, version.id, signal) : undefined;
      if (text !== undefined) return readObjects(text, file).filter(isTaskRun);
      await clock.sleep(settleMs, signal);
      const next = await versionOf(file);
      isQuiet = next.id === version.id;
      version = next;
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    signal.throwIfAborted();
    throw isAppError(error) ? error : fileFault(file, `cannot be read: ${messageOf(error)}`, error);
  }
  throw new AppError('ERR_LOCAL_FILE', `${file} keeps on changing`, {
    kind: 'passing',
    object: file,
    remedy: 'Write it under another name and rename it when it is whole.',
  });
}

/** The text of a file, unless it changed while it was read. */
async function readVersion(file: string, id: string, signal: AbortSignal): Promise<string | undefined> {
  const text = await readFile(file, { encoding: 'utf8', signal });
  return (await versionOf(file)).id === id ? text : undefined;
}

/** What tells whether a file changed; its age is of no use where its clock is ahead of ours. */
async function versionOf(file: string): Promise<{ readonly id: string; readonly changedMs: number }> {
  const { size, mtimeNs, ctimeNs, ino } = await stat(file, { bigint: true });
  if (size > maxTaskRunFileBytes) throw fileFault(file, `has more than ${maxTaskRunFileBytes} bytes`);
  const newest = mtimeNs > ctimeNs ? mtimeNs : ctimeNs;
  return { id: `${ino}/${size}/${mtimeNs}/${ctimeNs}`, changedMs: Number(newest / 1_000_000n) };
}
