import { WorkQueue } from '../../kube/work-queue.ts';
import type { Clock } from '../../model/clock.ts';
import type { Log } from '../../model/log.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { errorFields } from '../../telemetry/error-fields.ts';
import type { LocalSigning, RunResult } from './local-signing.ts';
import type { RunCatalogue } from './run-catalogue.ts';
import { readRunFile } from './run-file.ts';
import type { RunFolder } from './run-folder.ts';

/** What watching takes. */
export interface WatchParts {
  readonly folder: RunFolder;
  readonly catalogue: RunCatalogue;
  readonly signing: LocalSigning;
  readonly settings: Settings['controller'];
  readonly clock: Clock;
  readonly log: Log;
  /** Told of each run that was brought to where it should be. */
  readonly onResult?: (result: RunResult) => void;
}

const fileReaders = 4;
// A file that cannot be parsed may be half written; after these tries the next change is waited for.
const maxFileTries = 5;
const fileBackOff = { baseMs: 250, capMs: 4000 } as const;
const drainMs = 20_000;

/**
 * Watches a folder until `signal` aborts, and has each run in it signed, with the back-off of the controller. Then
 * finishes what is in work, for at most 20 s. Throws ERR_USAGE_FOLDER.
 */
export async function watchRuns(
  parts: WatchParts,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  const runs = runQueue(parts);
  const files = fileQueue(parts, runs);
  try {
    await using closing = new AsyncDisposableStack();
    const watching = await parts.folder.watch(
      {
        onFile: (file) => files.retryNow(file),
        onGone: (file) => {
          for (const key of parts.catalogue.remove(file)) runs.forget(key);
        },
        onFault: (error) => {
          parts.log.error('the folder cannot be watched', errorFields(error));
        },
      },
      { signal },
    );
    closing.use(watching);
    parts.log.info('watching', {});
    await aborted(signal);
  } catch (error) {
    // Told to stop before the first scan was over: nothing is amiss.
    if (!signal.aborted) throw error;
  }
  await files.close({ deadlineMs: 0 });
  const left = await runs.close({ deadlineMs: drainMs });
  if (left > 0) parts.log.warn('stopped with runs in work; they are taken up again', { runs: left });
}

function runQueue({ signing, settings, clock, log, onResult }: WatchParts): WorkQueue {
  return new WorkQueue({
    clock,
    concurrency: settings.concurrency,
    baseMs: settings.retry.baseMs,
    capMs: settings.retry.maxMs,
    worker: async (key, { signal }) => {
      const result = await signing.settle(key, { signal });
      onResult?.(result);
      return {};
    },
    onFault: ({ key, error, failures, retryInMs }) => {
      const fields = { run: key, failures, retryInMs: Math.round(retryInMs) };
      log.warn('a run is tried again later', { ...fields, ...errorFields(error) });
    },
  });
}

function fileQueue({ catalogue, clock, log }: WatchParts, runs: WorkQueue): WorkQueue {
  return new WorkQueue({
    clock,
    concurrency: fileReaders,
    ...fileBackOff,
    worker: async (file, { signal, failures }) => {
      try {
        const objects = await readRunFile(file, { clock, signal });
        const { keys, faults } = catalogue.replace(file, objects ?? []);
        for (const fault of faults) log.error('a run of a file is left out', errorFields(fault));
        for (const key of keys) runs.retryNow(key);
      } catch (error) {
        if (failures + 1 < maxFileTries) throw error;
        log.error('a file is left out until it changes', { file, ...errorFields(error) });
      }
      return {};
    },
    onFault: ({ key, error, retryInMs }) => {
      log.debug('a file is read again', { file: key, retryInMs, ...errorFields(error) });
    },
  });
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true });
  });
}
