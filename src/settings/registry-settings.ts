import type { Settings } from './settings-schema.ts';

/** How one registry is spoken to. */
export type RegistrySettings = Settings['registries'][number];

/** The settings for `host` (HOST or HOST:PORT): its own, else those of `*`, else TLS with the system's authorities. */
export function registrySettings(settings: Pick<Settings, 'registries'>, host: string): RegistrySettings {
  const find = (name: string): RegistrySettings | undefined =>
    settings.registries.find((candidate) => candidate.host === name);
  return find(host) ?? find('*') ?? { host, insecure: false };
}
