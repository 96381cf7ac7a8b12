import { local, ports, urls } from '../addresses.ts';
import { builtPath } from '../build/binaries.ts';
import { credential } from '../certificates.ts';
import { answersHttp } from '../process/health.ts';
import { componentNamed } from '../versions.ts';
import type { Server } from './server.ts';

const component = componentNamed('timestamp-server');

/** The RFC 3161 timestamp authority. */
export const tsa: Server = {
  name: 'tsa',
  version: component.version,
  address: urls.tsa,
  needs: [],
  command: () =>
    Promise.resolve({
      file: builtPath(component),
      args: [
        'serve',
        '--host',
        '127.0.0.1',
        '--port',
        String(ports.tsa),
        '--timestamp-signer',
        'file',
        '--file-signer-key-path',
        credential('tsa.key'),
        '--certificate-chain-path',
        credential('tsa-chain.crt'),
        '--disable-ntp-monitoring',
      ],
    }),
  isHealthy: () => answersHttp(`http://${local(ports.tsa)}/ping`),
};
