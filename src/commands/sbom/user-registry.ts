import type { ImageStore } from '../../registry/image-store.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import { createRegistries, hostTrustOf } from '../wiring/attestation.ts';
import type { Environment } from '../wiring/cluster.ts';
import { Dispatchers } from '../wiring/dispatchers.ts';
import { trustedFilesOf } from '../wiring/process-log.ts';
import { userCredentials } from '../wiring/run-credentials.ts';

/** What the registries are reached with. */
export interface UserRegistryOptions {
  readonly settings: Settings;
  readonly environment: Environment;
}

/** The registries with this user's credentials; connections are closed with `closing`. Throws ERR_SETTINGS_CA_FILE. */
export async function openUserRegistry(
  closing: AsyncDisposableStack,
  { settings, environment }: UserRegistryOptions,
): Promise<ImageStore> {
  const dispatchers = closing.use(
    await Dispatchers.open({ caFiles: trustedFilesOf(environment), hosts: hostTrustOf(settings) }),
  );
  const registries = createRegistries(settings, dispatchers, systemClock);
  return registries.withCredentials(userCredentials(environment));
}
