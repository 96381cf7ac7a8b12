import { readFile } from 'node:fs/promises';
import { findObject } from '../../kube/find-object.ts';
import { PullSecretSource } from '../../kube/pull-secrets.ts';
import { KubeClient } from '../../kube/kube-client.ts';
import { resourceTypes } from '../../kube/resource-type.ts';
import { isAppError } from '../../model/errors.ts';
import { silentLog } from '../../model/log.ts';
import { chainCredentialSources } from '../../registry/credentials.ts';
import type { CredentialSource } from '../../registry/credentials.ts';
import { findDockerCredentials } from '../../registry/docker-config.ts';
import { environmentVariables } from '../../settings/environment.ts';
import { resolveSettings } from '../../settings/resolution.ts';
import type { Settings, SettingsInput } from '../../settings/settings-schema.ts';
import { parseTrustRoot } from '../../signing/trust-root.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import type { CommandContext } from '../command-context.ts';
import { readChainsData, readSettingsObject } from '../settings/cluster-settings.ts';
import { createRegistries } from '../wiring/attestation.ts';
import { openCluster } from '../wiring/cluster.ts';
import type { Environment } from '../wiring/cluster.ts';
import { Dispatchers } from '../wiring/dispatchers.ts';
import { trustedFilesOf } from '../wiring/process-log.ts';
import { ownCredentials, readHostTrust } from '../wiring/registry-access.ts';
import { readSecretConfigs, userCredentials } from '../wiring/run-credentials.ts';
import { readSettingsSources } from '../wiring/settings.ts';
import { needsTrustRoot, openTrustRoot } from '../wiring/trust.ts';
import { fieldOf, isForbidden, listObjects, recordsIn, textOf } from './cluster-objects.ts';
import type { ClusterParts, RegistryParts, SettingsReading, TrustReading } from './examination.ts';
import type { ExaminationParts } from './run-checks.ts';

/** What is to be looked at. */
export interface ExaminationOptions {
  readonly account: ClusterParts['account'];
  readonly webhookName: string;
  readonly configFile: string | undefined;
  readonly flags: SettingsInput;
  /** `HOST/PATH` to try out. */
  readonly registry: string | undefined;
  readonly isReadOnly: boolean;
}

const checkMs = 30_000;
// As the overlays of docs/install.md name them.
const trustedRootMap = { name: 'sigstore-trusted-root', key: 'trusted_root.json' };
const credentialsSecret = 'registry-credentials';

/**
 * Opens what the checks need. Settings and trust root that cannot be used are for the checks to tell. Throws ERR_KUBE_* where
 * the cluster cannot be asked at all, ERR_SETTINGS_FILE and ERR_SETTINGS_SYNTAX for what was given by name.
 */
export async function openExamination(
  options: ExaminationOptions,
  { environment, signal }: CommandContext,
  closing: AsyncDisposableStack,
): Promise<ExaminationParts> {
  const clock = systemClock;
  const access = await openCluster(environment, clock, { signal });
  const client = closing.use(new KubeClient({ access, clock }));
  const { account, webhookName, configFile } = options;
  const cluster = { access, client, account, webhookName, configFile, clock, signal };
  const settings = await readTheSettings(options, cluster, environment);
  if (settings.resolved === undefined) return { cluster, settings, signing: undefined, checkMs };
  const inForce = settings.resolved.settings;
  const dispatchers = closing.use(
    await Dispatchers.open({
      caFiles: trustedFilesOf(environment),
      hosts: await readHostTrust(inForce, { client, namespace: account.namespace, signal }),
    }),
  );
  const registry = openRegistry(options, { ...cluster, settings: inForce, dispatchers, environment });
  const trust = await readTrust(inForce, cluster);
  return { cluster, settings, signing: { settings: inForce, dispatchers, trust, registry }, checkMs };
}

async function readTheSettings(
  { configFile, flags }: ExaminationOptions,
  parts: ClusterParts,
  environment: Environment,
): Promise<SettingsReading> {
  // A file stands in for all that the cluster says.
  const deployed = configFile === undefined ? await readDeployedEnvironment(parts) : {};
  const sources = await readSettingsSources({
    configFile,
    flags,
    environment: { ...deployed, ...environment },
  });
  const object = configFile === undefined ? await readSettingsObject(parts) : undefined;
  const chainsConfig = await readChainsData(parts, parts.account.namespace);
  try {
    const resolved = resolveSettings({
      ...sources,
      ...(object === undefined ? {} : { object }),
      ...(chainsConfig === undefined ? {} : { chainsConfig }),
    });
    return { resolved };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { fault: error };
  }
}

/** The variables that the controller's Deployment sets, where it may be read: from outside they are not ours. */
async function readDeployedEnvironment(parts: ClusterParts): Promise<Environment> {
  const { namespace, name } = parts.account;
  const deployments = await allowed(listObjects(parts, resourceTypes.deployments, { namespace }), []);
  const template = deployments
    .map(({ spec }) => fieldOf(spec, 'template', 'spec'))
    .find((spec) => fieldOf(spec, 'serviceAccountName') === name);
  const [container] = recordsIn(fieldOf(template, 'containers'));
  const known = new Set<string>(environmentVariables.map((variable) => variable.name));
  return Object.fromEntries(
    recordsIn(container?.['env'])
      .map((variable) => [textOf(variable['name']), textOf(variable['value'])] as const)
      .filter(([variable]) => known.has(variable)),
  );
}

/** The trust root in the file that is named, in the ConfigMap that overlays mount, or the public one where one is needed. */
async function readTrust(settings: Settings, parts: ClusterParts): Promise<TrustReading> {
  const { file } = settings.trustedRoot;
  try {
    const text = (await readIfThere(file, parts)) ?? (await readTrustedRootMap(parts));
    const object = file ?? `ConfigMap ${trustedRootMap.name}`;
    if (text !== undefined) return { root: parseTrustRoot(text, object), text };
    const isNeeded = file !== undefined || needsTrustRoot(settings);
    return isNeeded ? { root: await openTrustRoot(settings, parts) } : {};
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { fault: error };
  }
}

async function readIfThere(
  file: string | undefined,
  { signal }: Pick<ClusterParts, 'signal'>,
): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file, { encoding: 'utf8', signal });
  } catch {
    // The path of a Pod: the ConfigMap has what is mounted there.
    return undefined;
  }
}

async function readTrustedRootMap(parts: ClusterParts): Promise<string | undefined> {
  const { namespace } = parts.account;
  const { name, key } = trustedRootMap;
  const map = await allowed(
    findObject(parts.client, resourceTypes.configMaps, { namespace, name }, parts),
    undefined,
  );
  return textOf(fieldOf(map, 'data', key)) || undefined;
}

function openRegistry(
  { registry, isReadOnly }: ExaminationOptions,
  parts: ClusterParts & {
    readonly settings: Settings;
    readonly dispatchers: Dispatchers;
    readonly environment: Environment;
  },
): RegistryParts | undefined {
  if (registry === undefined) return undefined;
  const { settings, dispatchers, environment, client, account, clock } = parts;
  const pullSecrets = new PullSecretSource({ client });
  const { namespace } = account;
  const unnamed = chainCredentialSources([
    mountedCredentials(pullSecrets, namespace),
    userCredentials(environment),
  ]);
  const credentials = ownCredentials(settings, { pullSecrets, namespace, unnamed, log: silentLog });
  const store = createRegistries(settings, dispatchers, clock).withCredentials(credentials);
  return { repository: registry, store, isReadOnly };
}

/** Those that the overlays mount into the Pods. */
function mountedCredentials(pullSecrets: PullSecretSource, namespace: string): CredentialSource {
  return {
    find: async (repository, options) => {
      const { configs } = await pullSecrets.findIn(namespace, [credentialsSecret], options);
      return findDockerCredentials(readSecretConfigs(configs, silentLog), repository);
    },
  };
}

/** What may not be read is left out: from inside a Pod much may not. */
async function allowed<T>(reading: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (isForbidden(error)) return otherwise;
    throw error;
  }
}
