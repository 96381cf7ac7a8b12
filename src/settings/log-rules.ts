import type { SettingsSource } from './settings-fault.ts';
import type { chosenServices } from './log-schema.ts';
import type { Settings } from './settings-schema.ts';

type ChosenService = (typeof chosenServices)[number];

/** What says where each service is, besides a signing configuration. */
const addressesOf: Readonly<Record<ChosenService, readonly string[]>> = {
  fulcio: ['signer.fulcio.url'],
  log: ['log.url', 'log.version', 'log.further'],
  timestampAuthority: ['timestampAuthorities'],
};
const strength: readonly SettingsSource[] = ['default', 'chains-config', 'object', 'environment', 'flag'];

/** A fault that shows when settings are put together. */
export interface Contradiction {
  readonly path: string;
  readonly value: unknown;
  readonly rule: string;
}

/**
 * The settings with what the signing configuration still chooses when a stronger source names an address itself.
 * `sourceOf` gives the strongest source that speaks of a path.
 */
export function withChosenServices(settings: Settings, sourceOf: (path: string) => SettingsSource): Settings {
  const { file, services } = settings.signingConfig;
  if (file === undefined) return settings;
  const rank = (path: string): number => strength.indexOf(sourceOf(path));
  const own = rank('signingConfig.file');
  const left = services.filter((service) => addressesOf[service].every((path) => rank(path) <= own));
  return { ...settings, signingConfig: { file, services: left } };
}

/** What of logs, timestamps and layouts does not go together. `sourceOf` as above. */
export function logContradictions(
  { log, storage, timestampAuthorities, signingConfig }: Settings,
  sourceOf: (path: string) => SettingsSource,
): readonly Contradiction[] {
  const isChosen = (service: ChosenService): boolean =>
    signingConfig.file !== undefined && signingConfig.services.includes(service);
  const faults: Contradiction[] = [];
  const refuse = (path: string, value: unknown, rule: string): void => {
    faults.push({ path, value, rule });
  };
  for (const [service, paths] of Object.entries(addressesOf)) {
    const doubled = paths.find((path) => sourceOf(path) === sourceOf('signingConfig.file'));
    if (!isChosen(service as ChosenService) || doubled === undefined) continue;
    refuse(doubled, undefined, `must not stand beside signingConfig.file, which chooses the ${service}`);
  }
  if (!log.enabled || isChosen('log')) return faults;
  const logs = [log, ...log.further];
  const urls = logs.map(({ url }) => url);
  const repeated = urls.find((url, index) => urls.indexOf(url) !== index);
  if (repeated !== undefined) refuse('log.further', repeated, 'each log may be named once');
  if (logs.some(({ version }) => version === 'v2')) {
    if (timestampAuthorities.length === 0 && !isChosen('timestampAuthority')) {
      const rule = 'must name one, since Rekor v2 does not tell when a signature was made';
      refuse('timestampAuthorities', timestampAuthorities, rule);
    }
    if (logs.every(({ version }) => version === 'v2') && !storage.layouts.referrers) {
      const rule = "must not be tags alone with Rekor v2 alone: cosign's tags cannot hold its entries";
      refuse('storage.layouts', storage.layouts, rule);
    }
  }
  return faults;
}

/** True if cosign's tags are asked for, and no log that the settings name gives entries which they can hold. */
export function leavesTagsOut({ log, storage, signingConfig }: Settings): boolean {
  const isFixed = signingConfig.file === undefined || !signingConfig.services.includes('log');
  const isV2Alone = [log, ...log.further].every(({ version }) => version === 'v2');
  return isFixed && log.enabled && isV2Alone && storage.layouts.tags;
}
