import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';

import { hosts, urls } from './addresses.ts';
import { builtPath } from './build/binaries.ts';
import { credential } from './certificates.ts';
import { inState } from './paths.ts';
import { run } from './process/run.ts';
import { componentNamed } from './versions.ts';

/** The trust root of the stack, in Sigstore's own format. */
export const trustedRootFile: string = inState('trusted_root.json');

/** What `cosign sign` is told of the stack's servers: Rekor v1. */
export const signingConfigFile: string = inState('signing_config.json');

/** The same with Rekor v2 and the timestamp authority. */
export const signingConfigFile2: string = inState('signing_config_v2.json');

/** Before anything that the stack ever signed. */
const start = 'start-time=2020-01-01T00:00:00Z';

async function write(file: string, args: readonly string[]): Promise<void> {
  if (existsSync(file)) return;
  const env = { PATH: process.env['PATH'] ?? '', HOME: inState('home') };
  await run(builtPath(componentNamed('cosign')), [...args, '--out', `${file}.new`], { env });
  await rename(`${file}.new`, file);
}

const trustedRoot: readonly string[] = [
  `--fulcio=url=${urls.fulcio},certificate-chain=${credential('fulcio.crt')},${start}`,
  `--ctfe=url=${urls.ctlog},public-key=${credential('ctlog.pub')},${start}`,
  `--rekor=url=${urls.rekor},public-key=${credential('rekor.pub')},${start}`,
  // Rekor v2 signs its checkpoints with its host name as the origin.
  `--rekor=url=${urls.rekor2},public-key=${credential('rekor2.pub')},${start},origin=${hosts.rekor2.name}`,
  `--tsa=url=${urls.tsa},certificate-chain=${credential('tsa-chain.crt')},${start}`,
];

function signing(rekor: string, version: 1 | 2): string[] {
  const common = `${start},operator=golems.internal`;
  return [
    `--fulcio=url=${urls.fulcio},api-version=1,${common}`,
    `--oidc-provider=url=${urls.kubernetes},api-version=1,${common}`,
    `--rekor=url=${rekor},api-version=${version},${common}`,
    '--rekor-config=ANY',
    ...(version === 2
      ? [`--tsa=url=${urls.tsa}/api/v1/timestamp,api-version=1,${common}`, '--tsa-config=ANY']
      : []),
  ];
}

/** Writes the trust root and the signing configurations, if they aren't there. */
export async function writeTrust(): Promise<void> {
  await Promise.all([
    write(trustedRootFile, ['trusted-root', 'create', ...trustedRoot]),
    write(signingConfigFile, ['signing-config', 'create', ...signing(urls.rekor, 1)]),
    write(signingConfigFile2, ['signing-config', 'create', ...signing(urls.rekor2, 2)]),
  ]);
}
