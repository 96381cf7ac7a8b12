import { findObject } from '../../kube/find-object.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { resourceTypes } from '../../kube/resource-type.ts';
import { objectIn } from '../../model/json-object.ts';
import { resolveSettings } from '../../settings/resolution.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { readSettingsSources } from './settings.ts';
import type { SettingsArguments } from './settings.ts';

type SettingsClient = Pick<KubeClient, 'get'>;

/**
 * The settings that a command judges by as the webhook of a cluster does, as far as those of the webhook matter
 * elsewhere; a file that is given takes the place of the cluster's. Throws ERR_SETTINGS_*, ERR_KUBE_*.
 */
export async function readJudgingSettings(
  given: SettingsArguments,
  client: SettingsClient,
  signal: AbortSignal,
): Promise<Settings> {
  const sources = await readSettingsSources(given);
  const object = sources.object ?? (await findJudgingSettings(client, signal));
  return resolveSettings({ ...sources, ...(object === undefined ? {} : { object }) }).settings;
}

/**
 * Of the cluster's ChainwrightConfig what says whom to trust, as an object of settings; undefined if there is none. The
 * rest is about the webhook's own machine.
 */
async function findJudgingSettings(client: SettingsClient, signal: AbortSignal): Promise<unknown> {
  const object = await findObject(client, resourceTypes.chainwrightConfigs, { name: 'default' }, { signal });
  if (object === undefined) return undefined;
  const { trustRootRef } = objectIn(objectIn(object['spec'])['trustedRoot']);
  const { apiVersion, kind } = object;
  const spec = trustRootRef === undefined ? {} : { trustedRoot: { trustRootRef } };
  return { apiVersion, kind, metadata: { name: 'default' }, spec };
}
