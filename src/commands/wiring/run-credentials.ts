import { homedir } from 'node:os';
import { join } from 'node:path';
import type { PullSecretSource } from '../../kube/pull-secrets.ts';
import { chainCredentialSources } from '../../registry/credentials.ts';
import type { CredentialSource } from '../../registry/credentials.ts';
import {
  dockerConfigFileSource,
  findDockerCredentials,
  parseDockerConfig,
  parseDockercfg,
} from '../../registry/docker-config.ts';
import type { TaskRun } from '../../tekton/task-run.ts';
import type { Environment } from './cluster.ts';

/** The docker config file of this process: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`. */
export function processCredentials(environment: Environment): CredentialSource {
  const folder = environment['DOCKER_CONFIG'] ?? join(homedir(), '.docker');
  return dockerConfigFileSource(join(folder, 'config.json'));
}

/** Credentials of the run's ServiceAccount (its Secrets and imagePullSecrets), then those of this process. */
export function credentialsOfRun(
  run: TaskRun,
  pullSecrets: PullSecretSource,
  ownCredentials: CredentialSource,
): CredentialSource {
  const account = { namespace: run.metadata.namespace, serviceAccount: run.spec.serviceAccountName };
  const ofRun: CredentialSource = {
    find: async (repository, options) => {
      const { configs } = await pullSecrets.find(account, options);
      const parsed = configs.map(({ secret, format, bytes }) =>
        format === 'config' ? parseDockerConfig(bytes, secret) : parseDockercfg(bytes, secret),
      );
      return findDockerCredentials(parsed, repository);
    },
  };
  return chainCredentialSources([ofRun, ownCredentials]);
}
