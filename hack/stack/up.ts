/**
 * Brings the local stack up: builds what isn't built, starts what doesn't run, leaves alone what is healthy:
 * `node hack/stack/up.ts [--node]`. With --node it gets a node that runs Pods, and Tekton Pipelines.
 */
import { mkdir } from 'node:fs/promises';
import { parseArgs } from 'node:util';

import { ensureBuilt } from './build/binaries.ts';
import { takeLock } from './build/lock.ts';
import { ensureCertificates } from './certificates.ts';
import { writeEnvironment } from './environment.ts';
import { addNames } from './hosts-file.ts';
import { setUpCluster } from './kubernetes/setup.ts';
import { bringUpNode } from './node/index.ts';
import { ensurePackages } from './packages.ts';
import { inState, stateFolder } from './paths.ts';
import { main } from './process/main.ts';
import { ensureAll } from './process/supervise.ts';
import type { Outcome } from './process/supervise.ts';
import { servers } from './servers/index.ts';
import type { Server } from './servers/server.ts';
import { writeTrust } from './trust.ts';
import { components, debianPackages } from './versions.ts';

function checkMachine(): void {
  if (process.platform !== 'linux') throw new Error('the local stack runs on Linux only');
  if (process.getuid?.() !== 0) {
    throw new Error(
      'the local stack needs root: its servers listen on port 443, and it writes names to /etc/hosts',
    );
  }
}

function tell(server: Server, outcome: Outcome): void {
  if (outcome !== 'running') process.stderr.write(`${server.name} ${outcome} (${server.address})\n`);
}

await main(async () => {
  const { values } = parseArgs({ options: { node: { type: 'boolean', default: false } } });
  checkMachine();
  const began = Date.now();
  await mkdir(stateFolder, { recursive: true });
  const lock = await takeLock(inState('lock'));
  try {
    await ensurePackages(debianPackages);
    await ensureBuilt(components.filter((component) => component.onDemand !== true));
    await addNames();
    await ensureCertificates();
    await Promise.all([writeEnvironment(), writeTrust(), ensureAll(servers, tell)]);
    await setUpCluster();
    if (values.node) await bringUpNode(tell);
  } finally {
    lock.release();
  }
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  process.stdout.write(`the stack is up (${seconds} s). In a shell: . ${inState('env')}\n`);
});
