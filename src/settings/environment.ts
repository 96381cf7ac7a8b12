import { setAt } from './settings-tree.ts';
import type { Tree } from './settings-tree.ts';

/** Environment variables that are honoured, by the setting that each stands for; of two the first wins. */
export const environmentVariables = [
  { name: 'COSIGN_REKOR_URL', path: 'log.url' },
  { name: 'REKOR_SERVER', path: 'log.url' },
  { name: 'COSIGN_FULCIO_URL', path: 'signer.fulcio.url' },
  { name: 'COSIGN_TRUSTED_ROOT', path: 'trustedRoot.file' },
  { name: 'COSIGN_REPOSITORY', path: 'storage.repository' },
  { name: 'CHAINWRIGHT_LOG_LEVEL', path: 'telemetry.logLevel' },
  { name: 'CHAINWRIGHT_LOG_FORMAT', path: 'telemetry.logFormat' },
  { name: 'CHAINWRIGHT_GELF_ADDRESS', path: 'telemetry.gelf.address' },
] as const;

/** What the environment says, and the variable that said it by setting. An empty variable says nothing. */
export function readEnvironment(environment: Readonly<Record<string, string | undefined>>): {
  readonly input: Tree;
  readonly names: ReadonlyMap<string, string>;
} {
  const input: Tree = {};
  const names = new Map<string, string>();
  for (const { name, path } of environmentVariables) {
    const value = environment[name];
    if (value === undefined || value === '' || names.has(path)) continue;
    names.set(path, name);
    setAt(input, path, value);
  }
  return { input, names };
}
