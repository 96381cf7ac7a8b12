import { setTimeout as sleep } from 'node:timers/promises';

import type { Server } from '../servers/server.ts';
import { isAlive, runningProcess } from './identity.ts';
import { commandDigest, launch, logTail } from './launch.ts';
import { stopProcess } from './stop.ts';

// Fifteen servers start at once, on as little as two cores.
const startMilliseconds = 300_000;
const pollMilliseconds = 50;

async function failure(server: Server, what: string): Promise<Error> {
  return new Error(`${server.name} ${what}; the end of its log:\n${await logTail(server.name)}`);
}

async function start(server: Server): Promise<void> {
  const running = await launch(server.name, await server.command());
  const deadline = Date.now() + startMilliseconds;
  while (!(await server.isHealthy())) {
    if (!(await isAlive(running))) throw await failure(server, 'ended at its start');
    if (Date.now() > deadline)
      throw await failure(server, `was not healthy within ${startMilliseconds / 1000} s`);
    await sleep(pollMilliseconds);
  }
  // Somebody else's server on our port would look healthy while ours is gone.
  if (!(await isAlive(running)))
    throw await failure(server, 'ended, and something else answers in its place');
}

/** What became of a server that should run. */
export type Outcome = 'running' | 'started' | 'restarted';

/** Sees to it that a server runs, with today's command, and is healthy. */
export async function ensureRunning(server: Server): Promise<Outcome> {
  const running = await runningProcess(server.name);
  const current = running?.command === commandDigest(await server.command());
  const fine = running !== undefined && current && (await server.isHealthy());
  if (!fine) {
    await stopProcess(server.name, server.stopSignal);
    // Not while it runs: what a start must not find, such as Fulcio's socket, a running server needs.
    await server.prepare?.();
    await start(server);
  }
  await server.settle?.();
  if (fine) return 'running';
  return running === undefined ? 'started' : 'restarted';
}

/** Brings up all these servers, each as soon as those that it needs are healthy. */
export async function ensureAll(
  servers: readonly Server[],
  tell: (server: Server, outcome: Outcome) => void,
): Promise<void> {
  const ready = new Map<string, Promise<void>>();
  for (const server of servers) {
    const needed = server.needs.map((name) => {
      const before = ready.get(name);
      if (before === undefined)
        throw new Error(`${server.name} needs ${name}, which does not stand before it`);
      return before;
    });
    ready.set(
      server.name,
      Promise.all(needed).then(async () => {
        tell(server, await ensureRunning(server));
      }),
    );
  }
  const ends = await Promise.allSettled(ready.values());
  const failures = new Set(ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : [])));
  if (failures.size > 0) throw new AggregateError(failures, 'the stack did not come up');
}
