import { mkdir } from 'node:fs/promises';

import { hosts, local, ports, urls } from '../addresses.ts';
import { builtPath } from '../build/binaries.ts';
import { credential } from '../certificates.ts';
import { inState } from '../paths.ts';
import { answersHttp } from '../process/health.ts';
import { componentNamed } from '../versions.ts';
import type { Server } from './server.ts';
import { treeId } from './trillian.ts';

const component = componentNamed('rekor-server');
const attestations = inState('data', 'rekor-attestations');

/** Rekor v1: Trillian below it, Redis for its index. */
export const rekor: Server = {
  name: 'rekor',
  version: component.version,
  address: urls.rekor,
  // Both take port 2112 for metrics: the authority dies if it is taken, Rekor doesn't mind.
  needs: ['trillian-log-server', 'trillian-log-signer', 'redis', 'tsa'],
  prepare: async () => {
    await mkdir(attestations, { recursive: true });
  },
  command: async () => ({
    file: builtPath(component),
    args: [
      'serve',
      '--rekor_server.address',
      '127.0.0.1',
      '--port',
      String(ports.rekor),
      '--rekor_server.hostname',
      hosts.rekor.name,
      '--rekor_server.signer',
      credential('rekor.key'),
      '--trillian_log_server.address',
      '127.0.0.1',
      '--trillian_log_server.port',
      String(ports.trillianServer),
      '--trillian_log_server.tlog_id',
      await treeId('rekor'),
      '--search_index.storage_provider',
      'redis',
      '--redis_server.address',
      '127.0.0.1',
      '--redis_server.port',
      String(ports.redis),
      '--enable_attestation_storage',
      '--attestation_storage_bucket',
      `file://${attestations}?create_dir=1&no_tmp_dir=1`,
      '--max_attestation_size',
      '1048576',
      '--log_type',
      'prod',
    ],
  }),
  isHealthy: () => answersHttp(`http://${local(ports.rekor)}/api/v1/log`),
};
