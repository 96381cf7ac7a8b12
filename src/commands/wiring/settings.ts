import { readFile } from 'node:fs/promises';
import { AppError, messageOf } from '../../model/errors.ts';
import { parseSettingsDocument } from '../../settings/settings-object.ts';
import { resolveSettings } from '../../settings/resolution.ts';
import type { ResolvedSettings, SettingsSources } from '../../settings/resolution.ts';
import type { SettingsInput } from '../../settings/settings-schema.ts';

/** What the command line and the process say of settings. */
export interface SettingsArguments {
  /** File with a ChainwrightConfig object (`--config`). */
  readonly configFile?: string | undefined;
  readonly flags?: SettingsInput;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Reads and resolves the settings. Throws ERR_SETTINGS_FILE, ERR_SETTINGS_SYNTAX, ERR_SETTINGS_INVALID. */
export async function readSettings(given: SettingsArguments): Promise<ResolvedSettings> {
  return resolveSettings(await readSettingsSources(given));
}

/** What command line, environment and file say, unresolved. Throws ERR_SETTINGS_FILE, ERR_SETTINGS_SYNTAX. */
export async function readSettingsSources(given: SettingsArguments): Promise<SettingsSources> {
  const { configFile, flags, environment } = given;
  const object =
    configFile === undefined ? undefined : parseSettingsDocument(await readText(configFile), configFile);
  return {
    ...(flags === undefined ? {} : { flags }),
    environment,
    ...(object === undefined ? {} : { object }),
  };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new AppError('ERR_SETTINGS_FILE', `cannot read ${file}: ${messageOf(error)}`, {
      kind: 'permanent',
      object: file,
      remedy: 'Name a readable file with a ChainwrightConfig object in --config.',
      cause: error,
    });
  }
}
