import type { Cataloguer, FoundComponent, FoundFile } from '../cataloguer.ts';
import { identify } from './formats/component-identity.ts';
import { asArray, asObject, asText, asTexts, defined, isObject, parseJson } from './formats/json-fields.ts';
import type { JsonObject } from './formats/json-fields.ts';
import { parsePerson, repositoryAddress, repositoryOwner } from './formats/supplier.ts';
import type { Supplier } from './formats/supplier.ts';

interface ComposerPackage {
  readonly name: string;
  readonly version: string;
  readonly licences?: readonly string[];
  readonly author?: Supplier;
  readonly repository?: string;
  /** Packages that it requires, without PHP itself and its extensions. */
  readonly requires?: readonly string[];
  /** Names that it stands in for. */
  readonly provides?: readonly string[];
  readonly isForDevelopment?: boolean;
  /** Its folder, relative to the one of `installed.json`; absent for packages without files. */
  readonly folder?: string;
}

/** What a file says about Composer packages. */
export type ComposerFact =
  | { readonly kind: 'installed'; readonly packages: readonly ComposerPackage[] }
  | { readonly kind: 'present' };

const installedBytes = 64 * 1024 * 1024;
const manifestBytes = 1024 * 1024;

/**
 * PHP packages that Composer installed: `vendor/composer/installed.json`, version 1 (a list) and 2. What it names
 * counts if the package's own `composer.json` is there, unless the image was stripped of all of those.
 */
export const composer: Cataloguer<ComposerFact> = {
  name: 'composer',
  version: 1,
  rules: [
    {
      select: {
        names: ['installed.json'],
        accept: ({ path }) => /(?:^|\/)composer\/installed\.json$/.test(path),
      },
      maxBytes: installedBytes,
      parse: (content) => ({ kind: 'installed', packages: parseInstalledJson(content) }),
    },
    { select: { names: ['composer.json'] }, maxBytes: manifestBytes, parse: () => ({ kind: 'present' }) },
  ],
  assemble(view) {
    const components = view.files.flatMap(({ path, layer, fact }) => {
      if (fact.kind !== 'installed') return [];
      const base = path.slice(0, path.lastIndexOf('/'));
      const isPresent = ({ folder }: ComposerPackage): boolean =>
        folder === undefined || view.find(`${base}/${folder}/composer.json`) !== undefined;
      const withFiles = fact.packages.filter(({ folder }) => folder !== undefined);
      const isStripped = !withFiles.some(isPresent);
      return componentsOf({ path, layer, fact: fact.packages.filter((one) => isStripped || isPresent(one)) });
    });
    return { components };
  },
};

/** Reads `installed.json`. Throws if it is neither a list of packages nor holds one. */
export function parseInstalledJson(content: Uint8Array): ComposerPackage[] {
  const document = parseJson(content);
  const list = Array.isArray(document) ? document : asObject(document)['packages'];
  if (!Array.isArray(list)) throw new Error('no list of Composer packages');
  const development = new Set(asTexts(asObject(document)['dev-package-names']));
  return asArray(list)
    .filter(isObject)
    .flatMap((fields) => packageOf(fields, development));
}

function packageOf(fields: JsonObject, development: ReadonlySet<string>): ComposerPackage[] {
  const name = asText(fields['name']);
  const version = asText(fields['version']);
  if (name === undefined || version === undefined) return [];
  const requires = Object.keys(asObject(fields['require'])).filter((required) => required.includes('/'));
  const provides = [...Object.keys(asObject(fields['provide'])), ...Object.keys(asObject(fields['replace']))];
  const licences = asTexts(fields['license']);
  const folder =
    asText(fields['install-path']) ?? (fields['type'] === 'metapackage' ? undefined : `../${name}`);
  return [
    {
      name,
      version,
      ...defined({
        // Several licences in a list mean a choice (composer.json schema).
        licences: licences.length > 0 ? [licences.join(' OR ')] : undefined,
        author: parsePerson(asArray(fields['authors'])[0]),
        repository: repositoryAddress(asObject(fields['source'])['url']),
        requires: requires.length > 0 ? requires : undefined,
        provides: provides.length > 0 ? provides : undefined,
        isForDevelopment: development.has(name) ? true : undefined,
        folder: fields['install-path'] === null ? undefined : folder,
      }),
    },
  ];
}

function componentsOf({ path, layer, fact }: FoundFile<readonly ComposerPackage[]>): FoundComponent[] {
  const refs = new Map<string, string>();
  for (const one of fact)
    for (const name of one.provides ?? []) refs.set(name.toLowerCase(), identityOf(one).ref);
  for (const one of fact) refs.set(one.name.toLowerCase(), identityOf(one).ref);
  return fact.map((one) => {
    const dependsOn = (one.requires ?? []).map((name) => refs.get(name.toLowerCase()));
    const found = dependsOn.filter((ref) => ref !== undefined);
    const { vendor, name } = splitName(one.name);
    return {
      ...identityOf(one),
      ...defined({
        group: vendor,
        supplier: one.author ?? repositoryOwner(one.repository),
        licences: one.licences,
        scope: one.isForDevelopment === true ? ('excluded' as const) : undefined,
        externalReferences:
          one.repository === undefined ? undefined : [{ type: 'vcs' as const, url: one.repository }],
      }),
      name,
      version: one.version,
      locations: [{ path, layer }],
      technique: 'manifest-analysis',
      confidence: 1,
      dependsOn: found,
      dependencies: found.length === dependsOn.length ? 'complete' : 'incomplete',
    };
  });
}

function splitName(name: string): { vendor: string | undefined; name: string } {
  const slash = name.indexOf('/');
  return { vendor: slash < 0 ? undefined : name.slice(0, slash), name: name.slice(slash + 1) };
}

function identityOf(one: ComposerPackage) {
  const { vendor, name } = splitName(one.name);
  return identify({ type: 'composer', namespace: vendor, name, version: one.version });
}
