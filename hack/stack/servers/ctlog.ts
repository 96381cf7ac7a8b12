import { mkdir, writeFile } from 'node:fs/promises';

import { local, ports, urls } from '../addresses.ts';
import { builtPath } from '../build/binaries.ts';
import { credential, privateKey } from '../certificates.ts';
import { inState } from '../paths.ts';
import { answersHttp } from '../process/health.ts';
import { componentNamed } from '../versions.ts';
import type { Server } from './server.ts';
import { treeId } from './trillian.ts';

const component = componentNamed('ct-server');

/** In protobuf's text format, the only one that this server reads. */
async function configuration(): Promise<string> {
  // By value: named by path, the key would have to be encrypted.
  const der = (await privateKey('ctlog')).export({ type: 'sec1', format: 'der' });
  const escaped = [...der].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
  const key = `[type.googleapis.com/keyspb.PrivateKey] { der: "${escaped}" }`;
  return [
    'config {',
    `  log_id: ${await treeId('ctlog')}`,
    '  prefix: "golems"',
    `  roots_pem_file: "${credential('fulcio.crt')}"`,
    `  private_key: { ${key} }`,
    '  ext_key_usages: "CodeSigning"',
    '}',
    '',
  ].join('\n');
}

/** The certificate transparency log that gives Fulcio's certificates their SCTs. */
export const ctlog: Server = {
  name: 'ctlog',
  version: component.version,
  address: urls.ctlog,
  needs: ['trillian-log-server'],
  prepare: async () => {
    await mkdir(inState('conf'), { recursive: true });
    await writeFile(inState('conf', 'ctlog.cfg'), await configuration(), { mode: 0o600 });
  },
  command: async () => ({
    file: builtPath(component),
    args: [
      `--http_endpoint=${local(ports.ctlog)}`,
      `--log_rpc_server=${local(ports.trillianServer)}`,
      `--log_config=${inState('conf', 'ctlog.cfg')}`,
      '--quota_remote=false',
      '--logtostderr',
    ],
    configuration: await configuration(),
  }),
  isHealthy: () => answersHttp(`http://${local(ports.ctlog)}/golems/ct/v1/get-sth`),
};
