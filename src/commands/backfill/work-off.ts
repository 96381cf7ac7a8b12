import PQueue from 'p-queue';
import type { KubeClient } from '../../kube/kube-client.ts';
import { resourceTypes } from '../../kube/resource-type.ts';
import type { Clock } from '../../model/clock.ts';
import { AppError, isAppError, messageOf } from '../../model/errors.ts';
import type { RunShares } from '../../reconcilers/run-shares.ts';
import { runAnnotationKeys, signedMarkOf } from '../../reconcilers/run-marks.ts';
import type { TaskRunReconciler } from '../../reconcilers/task-run-reconciler.ts';
import type { UnsignedRun } from './select-runs.ts';

/** What became of a run; `left`: another replica holds it, or the settings leave it unsigned; `gone`: it was deleted. */
export type BackfillOutcome = 'signed' | 'nothing-to-sign' | 'failed' | 'delayed' | 'left' | 'gone';

/** A run that was worked on. */
export interface BackfilledRun {
  readonly run: string;
  readonly outcome: BackfillOutcome;
  /** Why it was not signed. */
  readonly message?: string;
}

/** What working off takes. */
export interface WorkOffParts {
  readonly client: Pick<KubeClient, 'get'>;
  readonly reconciler: Pick<TaskRunReconciler, 'reconcile'>;
  readonly shares: Pick<RunShares, 'holds' | 'work' | 'health'>;
  readonly concurrency: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told of each run that is done. */
  readonly onDone: (done: BackfilledRun) => void;
}

const tries = 3;
const pauseMs = 2000;
const longestPauseMs = 10_000;

/** Works each run off by the same steps as the controller, so that one that was begun before is only finished. */
export async function workOff(
  runs: readonly UnsignedRun[],
  parts: WorkOffParts,
): Promise<readonly BackfilledRun[]> {
  const queue = new PQueue({ concurrency: parts.concurrency });
  return queue.addAll(
    runs.map(({ key }) => async () => {
      const done = await workOn(key, parts);
      parts.onDone(done);
      return done;
    }),
  );
}

async function workOn(key: string, parts: WorkOffParts): Promise<BackfilledRun> {
  const { clock, signal } = parts;
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      return await attemptOn(key, parts);
    } catch (error) {
      signal.throwIfAborted();
      if (!isAppError(error)) throw error;
      if (attempt === tries) {
        return { run: key, outcome: 'delayed', message: `${error.code}: ${messageOf(error)}` };
      }
      await clock.sleep(Math.min(error.retryAfterMs ?? pauseMs * attempt, longestPauseMs), signal);
    }
  }
}

async function attemptOn(key: string, parts: WorkOffParts): Promise<BackfilledRun> {
  const { shares, reconciler, signal } = parts;
  if (!shares.holds(key)) return leftToOthers(key, shares);
  await shares.work(key, signal, (ours) => reconciler.reconcile(key, { signal: ours }));
  const done = await outcomeOf(key, parts);
  return done.outcome === 'left' && !shares.holds(key) ? leftToOthers(key, shares) : done;
}

/** Where there are no others the share was lost to a slow API server, and comes back. */
function leftToOthers(key: string, shares: WorkOffParts['shares']): BackfilledRun {
  if (shares.health().members > 1)
    return { run: key, outcome: 'left', message: 'another replica works on it' };
  throw new AppError('ERR_BACKFILL_SHARE', 'the Lease by which it is ours could not be kept', {
    kind: 'passing',
    object: key,
    remedy:
      'Look whether the API server answers in time; it is tried again, else run `chainwright backfill` anew.',
  });
}

/** As the run itself tells. */
async function outcomeOf(key: string, { client, signal }: WorkOffParts): Promise<BackfilledRun> {
  const [namespace = '', name = ''] = key.split('/');
  try {
    const { metadata } = await client.get(
      resourceTypes.taskRuns,
      { namespace, name },
      { view: 'metadata', signal },
    );
    const { annotations = {} } = metadata;
    const mark = signedMarkOf(annotations);
    const message = annotations[runAnnotationKeys.error];
    if (mark === 'failed') {
      return { run: key, outcome: 'failed', ...(message === undefined ? {} : { message }) };
    }
    if (mark === undefined) return { run: key, outcome: 'left', message: 'the settings leave it unsigned' };
    const isEmpty = annotations[runAnnotationKeys.result] !== undefined;
    return { run: key, outcome: isEmpty ? 'nothing-to-sign' : 'signed' };
  } catch (error) {
    if (isAppError(error) && error.code === 'ERR_KUBE_NOT_FOUND') return { run: key, outcome: 'gone' };
    throw error;
  }
}
