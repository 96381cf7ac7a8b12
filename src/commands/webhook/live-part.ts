import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '../../model/errors.ts';
import type { Log } from '../../model/log.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import type { LiveSettings } from './live-settings.ts';

/** A part of the process that the door can do without. */
export interface LivePart<T> {
  readonly name: string;
  readonly live: LiveSettings;
  /** The settings that it is made by. */
  readonly pick: (settings: Settings) => T;
  /** Runs by these settings until the signal aborts; may end earlier if there is nothing to do. */
  readonly run: (picked: T, options: { readonly signal: AbortSignal }) => Promise<void>;
  readonly log: Pick<Log, 'error'>;
}

/** Runs a part until `signal` aborts, anew whenever its settings change. Whatever befalls it, this never throws. */
export async function runLive<T>(
  { name, live, pick, run, log }: LivePart<T>,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  let wanted = pick(live.current);
  let restart = new AbortController();
  live.onChange((changed) => {
    const picked = pick(changed);
    if (isDeepStrictEqual(picked, wanted)) return;
    wanted = picked;
    restart.abort();
  });
  while (!signal.aborted) {
    restart = new AbortController();
    const either = AbortSignal.any([signal, restart.signal]);
    const ended = new Promise((resolve) => {
      either.addEventListener('abort', resolve, { once: true });
    });
    await run(wanted, { signal: either }).catch((error: unknown) => {
      log.error('a part of the webhook ended', { component: name, error: messageOf(error) });
    });
    if (!either.aborted) await ended;
  }
}
