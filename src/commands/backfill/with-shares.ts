import type { Clock } from '../../model/clock.ts';
import { AppError } from '../../model/errors.ts';
import type { RunShares } from '../../reconcilers/run-shares.ts';

// A replica that was killed is followed within twelve seconds.
const othersMs = 20_000;
// An API server that is slow to write Leases is no other replica.
const aloneMs = 90_000;
const shareCount = 8;

/**
 * Does `work` as the only replica that is there, and hands all on afterwards; undefined where there are others. Those that begin
 * meanwhile wait for what is in work. Throws ERR_BACKFILL_LEASES.
 */
export async function withShares<T>(
  shares: Pick<RunShares, 'run' | 'health'>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  work: () => Promise<T>,
): Promise<T | undefined> {
  const ending = new AbortController();
  const nothing = { onGained: () => undefined, onLost: () => undefined };
  const running = shares.run({ ...nothing, signal: AbortSignal.any([signal, ending.signal]) });
  try {
    const startedMs = clock.now().getTime();
    while (shares.health().held.length < shareCount) {
      const { fault, members } = shares.health();
      const waitedMs = clock.now().getTime() - startedMs;
      if (waitedMs > othersMs && fault !== undefined) throw leaseless(fault);
      if (waitedMs > (members > 1 ? othersMs : aloneMs)) return undefined;
      await clock.sleep(200, signal);
    }
    return await work();
  } finally {
    ending.abort();
    await running;
  }
}

function leaseless(fault: string): AppError {
  return new AppError('ERR_BACKFILL_LEASES', `it cannot be told whether a controller runs: ${fault}`, {
    kind: 'passing',
    remedy:
      'Grant the account of the kubeconfig the Leases of the controller’s namespace (docs/install.md, Rights).',
  });
}
