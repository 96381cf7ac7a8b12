/** Stops the local stack: `node hack/stack/down.ts [--wipe]`. With --wipe its data, keys and logs go as well. */
import { rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { takeLock } from './build/lock.ts';
import { removeNames } from './hosts-file.ts';
import { takeDownNode } from './node/index.ts';
import { inState, stateFolder } from './paths.ts';
import { main } from './process/main.ts';
import { notedServers } from './process/identity.ts';
import { stopProcess } from './process/stop.ts';
import { servers } from './servers/index.ts';

await main(async () => {
  const { values } = parseArgs({ options: { wipe: { type: 'boolean', default: false } } });
  if (!existsSync(stateFolder)) return;
  const lock = await takeLock(inState('lock'));
  try {
    await takeDownNode();
    const signals = new Map(servers.map((server) => [server.name, server.stopSignal]));
    const stopped = await Promise.all(
      (await notedServers()).map((name) => stopProcess(name, signals.get(name))),
    );
    await removeNames();
    await rm(inState('env'), { force: true });
    if (values.wipe) await rm(stateFolder, { recursive: true, force: true });
    process.stdout.write(
      `stopped ${stopped.filter(Boolean).length} servers${values.wipe ? ', state removed' : ''}\n`,
    );
  } finally {
    lock.release();
  }
});
