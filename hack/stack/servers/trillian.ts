import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';

import { local, ports } from '../addresses.ts';
import { builtPath } from '../build/binaries.ts';
import { inState } from '../paths.ts';
import { answersHttp } from '../process/health.ts';
import { run } from '../process/run.ts';
import { componentNamed } from '../versions.ts';
import { trillianDatabase } from './databases.ts';
import type { Server } from './server.ts';

const serverComponent = componentNamed('trillian-log-server');
const signerComponent = componentNamed('trillian-log-signer');

const storage = [
  '--storage_system=postgresql',
  `--postgresql_uri=${trillianDatabase()}`,
  '--quota_system=noop',
  '--logtostderr',
];

function treeFile(log: string): string {
  return inState('data', 'trees', log);
}

/** The id of a log's tree in Trillian. */
export async function treeId(log: 'rekor' | 'ctlog'): Promise<string> {
  return (await readFile(treeFile(log), 'utf8')).trim();
}

async function makeTrees(): Promise<void> {
  await mkdir(inState('data', 'trees'), { recursive: true });
  for (const log of ['rekor', 'ctlog']) {
    if (existsSync(treeFile(log))) continue;
    const id = await run(builtPath(componentNamed('createtree')), [
      `--admin_server=${local(ports.trillianServer)}`,
    ]);
    await writeFile(`${treeFile(log)}.new`, id);
    await rename(`${treeFile(log)}.new`, treeFile(log));
  }
}

/** The verifiable log behind Rekor v1 and behind the CT log. */
export const trillianServer: Server = {
  name: 'trillian-log-server',
  version: serverComponent.version,
  address: local(ports.trillianServer),
  needs: ['postgres'],
  command: () =>
    Promise.resolve({
      file: builtPath(serverComponent),
      args: [
        ...storage,
        `--rpc_endpoint=${local(ports.trillianServer)}`,
        `--http_endpoint=${local(ports.trillianServerHttp)}`,
      ],
    }),
  isHealthy: () => answersHttp(`http://${local(ports.trillianServerHttp)}/healthz`),
  settle: makeTrees,
};

/** Integrates what was queued into the trees. */
export const trillianSigner: Server = {
  name: 'trillian-log-signer',
  version: signerComponent.version,
  address: local(ports.trillianSigner),
  needs: ['postgres'],
  command: () =>
    Promise.resolve({
      file: builtPath(signerComponent),
      args: [
        ...storage,
        `--rpc_endpoint=${local(ports.trillianSigner)}`,
        `--http_endpoint=${local(ports.trillianSignerHttp)}`,
        '--force_master',
        '--batch_size=1000',
        '--sequencer_interval=100ms',
        '--num_sequencers=2',
      ],
    }),
  isHealthy: () => answersHttp(`http://${local(ports.trillianSignerHttp)}/healthz`),
};
