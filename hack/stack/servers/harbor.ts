import { mkdir, writeFile } from 'node:fs/promises';

import { stringify } from 'yaml';

import { local, ports, urls } from '../addresses.ts';
import { builtPath } from '../build/binaries.ts';
import { credential } from '../certificates.ts';
import { tokenNames } from '../harbor/token-service.ts';
import { debianProgram } from '../packages.ts';
import { inState } from '../paths.ts';
import { answersHttp, answersTcp } from '../process/health.ts';
import { componentNamed } from '../versions.ts';
import { frontCommand } from './front.ts';
import { fromDebian } from './server.ts';
import type { Server } from './server.ts';

function registryConfiguration(): string {
  return stringify({
    version: '0.1',
    log: { level: 'warn', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: inState('data', 'harbor'), maxthreads: 400 },
      cache: { blobdescriptor: 'inmemory' },
      delete: { enabled: true },
      maintenance: { uploadpurging: { enabled: false } },
    },
    // Locations without a host: the front's name and TLS stay the client's business, as in Harbor.
    http: { addr: local(ports.harborRegistry), relativeurls: true, secret: 'one registry only' },
    auth: {
      token: {
        realm: `${urls.harbor}/service/token`,
        service: tokenNames.service,
        issuer: tokenNames.issuer,
        rootcertbundle: credential('harbor-token.crt'),
      },
    },
  });
}

/** The registry behind Harbor's front: distribution 2.8, which has no referrers API. */
export const harborRegistry: Server = {
  name: 'harbor-registry',
  version: fromDebian,
  address: local(ports.harborRegistry),
  needs: [],
  prepare: async () => {
    await mkdir(inState('conf'), { recursive: true });
    await writeFile(inState('conf', 'harbor.yaml'), registryConfiguration());
  },
  command: () =>
    Promise.resolve({
      file: debianProgram('docker-registry'),
      args: ['serve', inState('conf', 'harbor.yaml')],
      configuration: registryConfiguration(),
    }),
  isHealthy: () => answersTcp('127.0.0.1', ports.harborRegistry),
};

/** The front door: TLS on 443, tokens, and the way to the registry. */
export const harborFront: Server = {
  name: 'harbor-front',
  version: 'ours',
  address: urls.harbor,
  needs: ['harbor-registry'],
  command: () => frontCommand('harbor'),
  isHealthy: () => answersHttp(`${urls.harbor}/api/v2.0/ping`),
};

const referrers = componentNamed('referrers-registry');

/** A registry with the referrers API. It keeps manifests in memory: a restart forgets what was pushed. */
export const referrersRegistry: Server = {
  name: 'referrers-registry',
  version: referrers.version,
  address: urls.oci,
  needs: [],
  command: () =>
    Promise.resolve({
      file: builtPath(referrers),
      args: [
        '-address',
        `${new URL(urls.oci).hostname}:${ports.https}`,
        '-tls-cert',
        credential('oci.crt'),
        '-tls-key',
        credential('oci.key'),
        '-blobs',
        inState('data', 'oci'),
      ],
    }),
  isHealthy: () => answersHttp(`${urls.oci}/v2/`),
};
