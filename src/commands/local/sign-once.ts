import PQueue from 'p-queue';
import { backOffMs } from '../../model/back-off.ts';
import type { Clock } from '../../model/clock.ts';
import { isAppError, isPassing, messageOf } from '../../model/errors.ts';
import { loggedEntriesOf } from '../../model/signing-record.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import type { LocalSigning, RunResult } from './local-signing.ts';
import type { RunCatalogue } from './run-catalogue.ts';
import { readRunFile } from './run-file.ts';
import type { RunFolder } from './run-folder.ts';

/** What signing once takes. */
export interface SignOnceParts {
  readonly folder: RunFolder;
  readonly catalogue: RunCatalogue;
  readonly signing: LocalSigning;
  readonly settings: Settings['controller'];
  readonly clock: Clock;
}

/** What became of one run, or of a file that cannot be read. */
export interface OnceResult {
  /** `namespace/name`, or the file. */
  readonly run: string;
  readonly outcome: RunResult['outcome'] | 'unreadable';
  readonly fault?: string;
  /** True where the fault may pass by itself. */
  readonly isPassing: boolean;
  readonly logIndices: readonly number[];
}

const maxTries = 3;

/**
 * Signs the runs that lie in the folder now, each tried up to three times. Gives what became of each, files that cannot
 * be read included. Throws ERR_USAGE_FOLDER, and the signal's reason.
 */
export async function signOnce(
  parts: SignOnceParts,
  options: { readonly signal: AbortSignal },
): Promise<readonly OnceResult[]> {
  const { folder, catalogue, clock, settings } = parts;
  const faults: OnceResult[] = [];
  const keys = new Set<string>();
  const read = async (file: string): Promise<void> => {
    try {
      const found = catalogue.replace(file, (await readRunFile(file, { clock, ...options })) ?? []);
      for (const key of found.keys) keys.add(key);
      for (const fault of found.faults) faults.push(failed(fault.object ?? file, 'unreadable', fault));
    } catch (error) {
      options.signal.throwIfAborted();
      faults.push(failed(file, 'unreadable', error));
    }
  };
  const queue = new PQueue({ concurrency: settings.concurrency });
  await queue.addAll((await folder.list()).map((file) => () => read(file)));
  const results = await queue.addAll([...keys].map((key) => () => settle(key, parts, options)));
  return [...results, ...faults].sort((a, b) => a.run.localeCompare(b.run));
}

async function settle(
  key: string,
  { signing, clock, settings }: SignOnceParts,
  options: { readonly signal: AbortSignal },
): Promise<OnceResult> {
  const bounds = { baseMs: settings.retry.baseMs, capMs: settings.retry.maxMs };
  for (let tries = 1; ; tries += 1) {
    try {
      const { outcome, fault, record } = await signing.settle(key, options);
      const logIndices = (record?.artifacts ?? []).flatMap((artifact) =>
        loggedEntriesOf(artifact).map(({ logIndex }) => logIndex),
      );
      return { run: key, outcome, ...(fault === undefined ? {} : { fault }), isPassing: false, logIndices };
    } catch (error) {
      options.signal.throwIfAborted();
      if (tries === maxTries || !isPassing(error)) return failed(key, 'failed', error);
      const askedMs = isAppError(error) ? (error.retryAfterMs ?? 0) : 0;
      await clock.sleep(Math.max(askedMs, backOffMs(tries, bounds, Math.random)), options.signal);
    }
  }
}

function failed(run: string, outcome: 'failed' | 'unreadable', error: unknown): OnceResult {
  const code = isAppError(error) ? error.code : 'ERR_UNEXPECTED';
  const fault = `${code}: ${messageOf(error)}`;
  return { run, outcome, fault, isPassing: isPassing(error), logIndices: [] };
}
