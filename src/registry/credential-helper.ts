import { spawn } from 'node:child_process';
import { z } from 'zod';
import { AppError } from '../model/errors.ts';
import { normaliseRegistryHost, readDockerConfig } from './docker-config.ts';
import { registryTimes } from './registry-limits.ts';
import type { CallOptions } from './image-store.ts';
import type { Credentials, CredentialSource } from './credentials.ts';
import type { DockerConfig } from './docker-config.ts';

const answer = z.looseObject({ Username: z.string(), Secret: z.string() });
const maxAnswerBytes = 128 * 1024;

/**
 * Credentials from the `docker-credential-*` programs that the docker config at `path` names. It runs programs of the
 * user's PATH, so only the CLI builds it. Faults: ERR_REGISTRY_CREDENTIAL_HELPER.
 */
export function credentialHelperSource(path: string): CredentialSource {
  return {
    find: async (repository, options) => {
      const config = await readDockerConfig(path);
      const host = normaliseRegistryHost(repository.registry);
      const helper = config === undefined ? undefined : helperFor(config, host);
      if (helper === undefined) return [];
      const found = await askHelper(helper, host, options);
      return found === undefined ? [] : [found];
    },
  };
}

function helperFor(config: DockerConfig, host: string): string | undefined {
  return config.helpers.get(host) ?? config.defaultHelper;
}

async function askHelper(
  helper: string,
  host: string,
  options: CallOptions,
): Promise<Credentials | undefined> {
  // Docker files its hub under this address.
  const server = host === 'index.docker.io' ? 'https://index.docker.io/v1/' : host;
  const output = await runHelper(`docker-credential-${helper}`, server, options);
  if (output === undefined) return undefined;
  const parsed = answer.safeParse(parseJson(output));
  if (!parsed.success) throw helperFault(helper, 'its answer is malformed');
  const { Username: username, Secret: secret } = parsed.data;
  if (username === '<token>') return { kind: 'identity-token', token: secret };
  return { kind: 'basic', username, password: secret };
}

/** Runs `PROGRAM get` with the server's address as input; `undefined` if the helper has nothing for it. */
async function runHelper(
  program: string,
  server: string,
  { signal }: CallOptions,
): Promise<string | undefined> {
  const child = spawn(program, ['get'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    signal: AbortSignal.any([signal, AbortSignal.timeout(registryTimes.helperMs)]),
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  // A helper that ends without reading its input is judged by its answer.
  child.stdin.on('error', () => undefined);
  child.stdin.end(server);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (output.length > maxAnswerBytes) child.kill();
  });
  try {
    const exitCode = await ended;
    if (exitCode === 0) return output;
    if (exitCode === null) throw helperFault(program, 'it was stopped');
    // Helpers say "credentials not found" with exit code 1.
    return undefined;
  } catch (error) {
    throw error instanceof AppError ? error : helperFault(program, 'it could not be run', error);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Reported as malformed, without the text: it may hold a secret.
    return undefined;
  }
}

function helperFault(program: string, why: string, cause?: unknown): AppError {
  return new AppError('ERR_REGISTRY_CREDENTIAL_HELPER', `the credential helper ${program} failed: ${why}`, {
    kind: 'passing',
    object: program,
    remedy: 'Install the helper that your docker config names, or remove it there.',
    cause,
  });
}
