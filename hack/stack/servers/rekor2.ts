import { mkdir } from 'node:fs/promises';

import { hosts, local, ports, urls } from '../addresses.ts';
import { builtPath } from '../build/binaries.ts';
import { credential } from '../certificates.ts';
import { inState } from '../paths.ts';
import { answersHttp } from '../process/health.ts';
import { componentNamed } from '../versions.ts';
import { frontCommand } from './front.ts';
import type { Server } from './server.ts';

const component = componentNamed('rekor-tiles');
const tiles = inState('data', 'rekor2');

/** Rekor v2's write side: a tiled log in a folder. */
export const rekor2Writer: Server = {
  name: 'rekor2-writer',
  version: component.version,
  address: local(ports.rekor2Writer),
  needs: [],
  prepare: async () => {
    await mkdir(tiles, { recursive: true });
  },
  command: () =>
    Promise.resolve({
      file: builtPath(component),
      args: [
        'serve',
        '--hostname',
        hosts.rekor2.name,
        '--http-address',
        '127.0.0.1',
        '--http-port',
        String(ports.rekor2Writer),
        '--grpc-address',
        '127.0.0.1',
        '--grpc-port',
        String(ports.rekor2Grpc),
        '--http-metrics-port',
        String(ports.rekor2Metrics),
        '--signer-filepath',
        credential('rekor2.key'),
        '--storage-dir',
        tiles,
        '--checkpoint-interval',
        '1s',
        '--batch-max-age',
        '50ms',
      ],
    }),
  isHealthy: () => answersHttp(`http://${local(ports.rekor2Writer)}/healthz`),
};

/** Rekor v2 as clients see it: entries are passed on, checkpoint and tiles are served. */
export const rekor2Front: Server = {
  name: 'rekor2-front',
  version: 'ours',
  address: urls.rekor2,
  needs: ['rekor2-writer'],
  command: () => frontCommand('rekor2'),
  isHealthy: () => answersHttp(`http://${local(ports.rekor2)}/healthz`),
};
