import { local, ports } from '../addresses.ts';
import { debianProgram } from '../packages.ts';
import { inState } from '../paths.ts';
import { answersHttp } from '../process/health.ts';
import { fromDebian } from './server.ts';
import type { Server } from './server.ts';

const clients = `http://${local(ports.etcd)}`;
const peers = `http://${local(ports.etcdPeer)}`;

/** The store behind the API server. */
export const etcd: Server = {
  name: 'etcd',
  version: fromDebian,
  address: clients,
  needs: [],
  command: () =>
    Promise.resolve({
      file: debianProgram('etcd-server'),
      args: [
        '--name',
        'stack',
        '--data-dir',
        inState('data', 'etcd'),
        '--listen-client-urls',
        clients,
        '--advertise-client-urls',
        clients,
        '--listen-peer-urls',
        peers,
        '--initial-advertise-peer-urls',
        peers,
        '--initial-cluster',
        `stack=${peers}`,
        '--log-level',
        'warn',
        '--quota-backend-bytes',
        String(4 * 1024 ** 3),
        '--auto-compaction-retention',
        '1',
      ],
    }),
  isHealthy: () => answersHttp(`${clients}/health`),
};
