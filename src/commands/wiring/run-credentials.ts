import { homedir } from 'node:os';
import { join } from 'node:path';
import type { DockerConfig as SecretConfig } from '../../kube/docker-configs.ts';
import type { PullSecretSource } from '../../kube/pull-secrets.ts';
import { isAppError } from '../../model/errors.ts';
import type { Log } from '../../model/log.ts';
import { credentialHelperSource } from '../../registry/credential-helper.ts';
import { chainCredentialSources } from '../../registry/credentials.ts';
import type { CredentialSource } from '../../registry/credentials.ts';
import {
  dockerConfigFileSource,
  findDockerCredentials,
  parseDockerConfig,
  parseDockercfg,
} from '../../registry/docker-config.ts';
import type { DockerConfig } from '../../registry/docker-config.ts';
import type { TaskRun } from '../../tekton/task-run.ts';
import type { Environment } from './cluster.ts';

/** The docker config file of this process: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`. */
export function processCredentials(environment: Environment): CredentialSource {
  return dockerConfigFileSource(dockerConfigOf(environment));
}

/** As {@link processCredentials}, and the credential helpers that the file names: for a person's own commands. */
export function userCredentials(environment: Environment): CredentialSource {
  return chainCredentialSources([
    processCredentials(environment),
    credentialHelperSource(dockerConfigOf(environment)),
  ]);
}

function dockerConfigOf(environment: Environment): string {
  return join(environment['DOCKER_CONFIG'] ?? join(homedir(), '.docker'), 'config.json');
}

/** Where the credentials of runs come from. */
export interface RunCredentialParts {
  readonly pullSecrets: PullSecretSource;
  readonly ownCredentials: CredentialSource;
  readonly log: Pick<Log, 'warn'>;
}

/**
 * Credentials of the run's ServiceAccount (its Secrets and imagePullSecrets), then those of this process. A Secret that
 * cannot be read is left out with a warning; the others count.
 */
export function credentialsOfRun(run: TaskRun, parts: RunCredentialParts): CredentialSource {
  const account = { namespace: run.metadata.namespace, serviceAccount: run.spec.serviceAccountName };
  const ofRun: CredentialSource = {
    find: async (repository, options) => {
      const { configs } = await parts.pullSecrets.find(account, options);
      return findDockerCredentials(readSecretConfigs(configs, parts.log), repository);
    },
  };
  return chainCredentialSources([ofRun, parts.ownCredentials]);
}

/** The docker configs of Secrets; one that cannot be read is left out with a warning. */
export function readSecretConfigs(
  configs: readonly SecretConfig[],
  log: Pick<Log, 'warn'>,
): readonly DockerConfig[] {
  return configs.flatMap((config) => parseSecret(config, log));
}

function parseSecret(
  { secret, format, bytes }: SecretConfig,
  log: Pick<Log, 'warn'>,
): readonly DockerConfig[] {
  try {
    return [format === 'config' ? parseDockerConfig(bytes, secret) : parseDockercfg(bytes, secret)];
  } catch (error) {
    if (!isAppError(error)) throw error;
    log.warn('registry credentials cannot be read', { secret, code: error.code, error: error.message });
    return [];
  }
}
