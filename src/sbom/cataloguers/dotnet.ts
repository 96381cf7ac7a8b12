import type { Cataloguer, CatalogueView, FoundComponent, FoundFile } from '../cataloguer.ts';
import { identify } from './formats/component-identity.ts';
import { parseIntegrity } from './formats/integrity.ts';
import { asObject, asText, asTexts, defined, parseJsonObject } from './formats/json-fields.ts';

interface DotnetLibrary {
  readonly name: string;
  readonly version: string;
  /** `package`, `project`, `runtimepack`, `reference`. */
  readonly type?: string;
  /** `sha512-<base64>` of the NuGet package. */
  readonly integrity?: string;
  /** File names of what it brings; absent if it brings nothing. */
  readonly files?: readonly string[];
  /** `name/version` of what it depends on. */
  readonly needs?: readonly string[];
}

/** What a file says about .NET libraries. */
export type DotnetFact =
  | { readonly kind: 'dependencies'; readonly libraries: readonly DotnetLibrary[] }
  | { readonly kind: 'assembly' };

const manifestBytes = 16 * 1024 * 1024;
const assetKinds = ['runtime', 'native', 'resources', 'runtimeTargets'];

/**
 * .NET libraries: each `<application>.deps.json`, which the host reads to load assemblies. What it names counts if one
 * of the assemblies is there, or something that it needs has one: pure build-time packages and deleted ones fall out.
 */
export const dotnet: Cataloguer<DotnetFact> = {
  name: 'dotnet',
  version: 1,
  rules: [
    {
      select: { extensions: ['.json'], accept: ({ path }) => path.endsWith('.deps.json') },
      maxBytes: manifestBytes,
      parse: (content) => ({ kind: 'dependencies', libraries: parseDepsJson(content) }),
    },
    {
      select: { extensions: ['.dll'] },
      open: () => ({ write: () => undefined, end: () => ({ kind: 'assembly' }) }),
    },
  ],
  assemble(view) {
    return { components: view.files.flatMap((file) => componentsOf(view, file)) };
  },
};

/** Reads a `deps.json` (the runtime's "runtime configuration files" design): the runtime target's libraries. */
export function parseDepsJson(content: Uint8Array): DotnetLibrary[] {
  const document = parseJsonObject(content);
  const targets = asObject(document['targets']);
  const runtimeTarget = asText(asObject(document['runtimeTarget'])['name']) ?? Object.keys(targets)[0] ?? '';
  const libraries = asObject(document['libraries']);
  return Object.entries(asObject(targets[runtimeTarget])).flatMap(([key, value]) => {
    const slash = key.lastIndexOf('/');
    if (slash <= 0 || slash === key.length - 1) return [];
    const target = asObject(value);
    const library = asObject(libraries[key]);
    const assets = assetKinds.flatMap((kind) => Object.keys(asObject(target[kind])));
    const files = assets.map(baseName).filter((name) => name !== '_._');
    const needs = Object.entries(asObject(target['dependencies'])).map(
      ([name, version]) => `${name}/${asTexts(version)[0] ?? ''}`,
    );
    return [
      {
        name: key.slice(0, slash),
        version: key.slice(slash + 1),
        ...defined({
          type: asText(library['type']),
          integrity: asText(library['sha512']),
          files: files.length > 0 ? [...new Set(files)] : undefined,
          needs: needs.length > 0 ? needs : undefined,
        }),
      },
    ];
  });
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function componentsOf(
  view: CatalogueView<DotnetFact>,
  { path, layer, fact }: FoundFile<DotnetFact>,
): FoundComponent[] {
  if (fact.kind !== 'dependencies') return [];
  const byKey = new Map(fact.libraries.map((library) => [`${library.name}/${library.version}`, library]));
  const installed = installedKeys(view, path.slice(0, Math.max(0, path.lastIndexOf('/'))), byKey);
  return [...byKey]
    .filter(([key]) => installed.has(key))
    .map(([, library]) => {
      const needs = library.needs ?? [];
      const found = needs.filter((key) => installed.has(key));
      return {
        ...identityOf(library),
        ...defined({
          type: library.type === 'project' ? ('application' as const) : undefined,
          hashes: library.integrity === undefined ? undefined : parseIntegrity(library.integrity),
          supplier: supplierOf(library.name),
        }),
        name: library.name,
        version: library.version,
        locations: [{ path, layer }],
        technique: 'manifest-analysis',
        confidence: 1,
        dependsOn: found.flatMap((key) => byKey.get(key) ?? []).map((one) => identityOf(one).ref),
        dependencies: found.length === needs.length ? 'complete' : 'incomplete',
      };
    });
}

/** Microsoft reserves these prefixes on nuget.org for itself. */
function supplierOf(name: string): { name: string } | undefined {
  return /^(?:runtimepack\.)?(?:Microsoft|System|runtime)\./.test(name) ? { name: 'Microsoft' } : undefined;
}

type Libraries = ReadonlyMap<string, DotnetLibrary>;

function installedKeys(view: CatalogueView<DotnetFact>, folder: string, libraries: Libraries): Set<string> {
  const prefix = folder === '' ? '' : `${folder}/`;
  const present = new Set(
    view.files
      .filter(({ path, fact }) => fact.kind === 'assembly' && path.startsWith(prefix))
      .map(({ path }) => baseName(path)),
  );
  const isClaiming = [...libraries].filter(([, { files = [] }]) => files.length > 0);
  const own = isClaiming.filter(([, { files = [] }]) => files.some((name) => present.has(name)));
  // Single-file publishing bundles the assemblies into the program: the list is all that is left to see.
  const roots = own.length > 0 ? own : isClaiming;
  const installed = new Set(roots.map(([key]) => key));
  addDependents(installed, libraries);
  return installed;
}

/** Packages without files of their own stand for those that they depend on. */
function addDependents(installed: Set<string>, libraries: Libraries): void {
  const dependents = new Map<string, string[]>();
  for (const [key, { files, needs = [] }] of libraries) {
    if (files !== undefined) continue;
    for (const need of needs) dependents.set(need, [...(dependents.get(need) ?? []), key]);
  }
  // A set gives back what is added to it while it is gone through.
  for (const key of installed) for (const dependent of dependents.get(key) ?? []) installed.add(dependent);
}

function identityOf({ name, version }: DotnetLibrary) {
  return identify({ type: 'nuget', name, version });
}
