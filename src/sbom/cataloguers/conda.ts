import type { Cataloguer, FoundComponent, FoundFile } from '../cataloguer.ts';
import { identify } from './formats/component-identity.ts';
import { asText, asTexts, defined, parseJsonObject } from './formats/json-fields.ts';
import { webAddress } from './formats/supplier.ts';

/** What conda noted of a package when it linked it into an environment. */
export interface CondaPackage {
  readonly name: string;
  readonly version: string;
  readonly build?: string;
  readonly channel?: string;
  readonly subdir?: string;
  readonly licence?: string;
  readonly url?: string;
  readonly sha256?: string;
  /** Names of packages that it needs, without virtual ones. */
  readonly requires?: readonly string[];
}

const metadataBytes = 16 * 1024 * 1024;

/** Conda packages: `conda-meta/<name>-<version>-<build>.json` of each environment. */
export const conda: Cataloguer<CondaPackage> = {
  name: 'conda',
  version: 1,
  rules: [
    {
      select: { parents: ['conda-meta'], accept: ({ path }) => path.endsWith('.json') },
      maxBytes: metadataBytes,
      parse: parseCondaPackage,
    },
  ],
  assemble(view) {
    const environments = new Map<string, Map<string, CondaPackage>>();
    for (const { path, fact } of view.files) {
      const folder = path.slice(0, path.lastIndexOf('/'));
      const environment = environments.get(folder) ?? new Map<string, CondaPackage>();
      environments.set(folder, environment.set(fact.name, fact));
    }
    const components = view.files.map((file) =>
      componentOf(file, environments.get(file.path.slice(0, file.path.lastIndexOf('/'))) ?? new Map()),
    );
    return { components };
  },
};

/** Reads a file of `conda-meta`; undefined for those that describe no package. */
export function parseCondaPackage(content: Uint8Array): CondaPackage | undefined {
  const fields = parseJsonObject(content);
  const name = asText(fields['name']);
  const version = asText(fields['version']);
  if (name === undefined || version === undefined) return undefined;
  const needs = asTexts(fields['depends']).flatMap((need) => need.split(/[\s=<>!]/)[0] ?? []);
  const requires = needs.filter((need) => need !== '' && !need.startsWith('__'));
  const sha256 = asText(fields['sha256']);
  return {
    name,
    version,
    ...defined({
      build: asText(fields['build']),
      channel: channelOf(asText(fields['channel'])),
      subdir: asText(fields['subdir']),
      licence: asText(fields['license']),
      url: webAddress(asText(fields['url'])),
      sha256: sha256 !== undefined && /^[0-9a-f]{64}$/.test(sha256) ? sha256 : undefined,
      requires: requires.length > 0 ? [...new Set(requires)] : undefined,
    }),
  };
}

/** `https://conda.anaconda.org/conda-forge/linux-64` is the channel conda-forge. */
function channelOf(channel: string | undefined): string | undefined {
  const parts = channel?.split('/').filter((part) => part !== '') ?? [];
  const last = parts.at(-1);
  const isPlatform = last !== undefined && /^(?:noarch|(?:linux|osx|win)-\w+)$/.test(last);
  return (isPlatform ? parts.at(-2) : last)?.split('::')[0];
}

function componentOf(
  { path, layer, fact }: FoundFile<CondaPackage>,
  environment: ReadonlyMap<string, CondaPackage>,
): FoundComponent {
  const required = (fact.requires ?? []).map((name) => environment.get(name));
  const dependsOn = required.flatMap((one) => (one === undefined ? [] : identityOf(one).ref));
  return {
    ...identityOf(fact),
    ...defined({
      licences: fact.licence === undefined ? undefined : [fact.licence],
      supplier: fact.channel === undefined ? undefined : { name: fact.channel },
      hashes: fact.sha256 === undefined ? undefined : [{ algorithm: 'SHA-256' as const, hex: fact.sha256 }],
      externalReferences:
        fact.url === undefined ? undefined : [{ type: 'distribution' as const, url: fact.url }],
    }),
    name: fact.name,
    version: fact.version,
    locations: [{ path, layer }],
    technique: 'manifest-analysis',
    confidence: 1,
    dependsOn,
    dependencies: dependsOn.length === required.length ? 'complete' : 'incomplete',
  };
}

function identityOf({ name, version, build, channel, subdir }: CondaPackage) {
  return identify({ type: 'conda', name, version, qualifiers: { build, channel, subdir } });
}
