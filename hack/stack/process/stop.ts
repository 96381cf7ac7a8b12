import { setTimeout as sleep } from 'node:timers/promises';

import { forgetProcess, isAlive, runningProcess } from './identity.ts';
import type { Identity } from './identity.ts';

const graceMilliseconds = 5000;
/** Whoever has a signal of its own for this, as PostgreSQL, is worth waiting for: killed, it leaves children behind. */
const ownSignalGraceMilliseconds = 60_000;
const killedMilliseconds = 60_000;
const pollMilliseconds = 20;

function send(identity: Identity, signal: NodeJS.Signals): void {
  try {
    process.kill(identity.pid, signal);
  } catch {
    // It went by itself between our look and our signal.
  }
}

async function goneWithin(identity: Identity, milliseconds: number): Promise<boolean> {
  const deadline = Date.now() + milliseconds;
  while (Date.now() < deadline) {
    if (!(await isAlive(identity))) return true;
    await sleep(pollMilliseconds);
  }
  return !(await isAlive(identity));
}

/** Stops the process of a server: asks first, then after a grace period insists. True if there was one. */
export async function stopProcess(server: string, first: NodeJS.Signals = 'SIGTERM'): Promise<boolean> {
  const running = await runningProcess(server);
  if (running === undefined) {
    await forgetProcess(server);
    return false;
  }
  send(running, first);
  const isOwn = first !== 'SIGTERM' && first !== 'SIGKILL';
  if (!(await goneWithin(running, isOwn ? ownSignalGraceMilliseconds : graceMilliseconds))) {
    send(running, 'SIGKILL');
    if (!(await goneWithin(running, killedMilliseconds)))
      throw new Error(`${server} (pid ${running.pid}) cannot be stopped`);
  }
  await forgetProcess(server);
  return true;
}
