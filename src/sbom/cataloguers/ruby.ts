import type { Cataloguer, FoundComponent, FoundFile } from '../cataloguer.ts';
import { identify } from './formats/component-identity.ts';
import { defined, textOf } from './formats/json-fields.ts';
import { webAddress } from './formats/supplier.ts';

/** What a gem's specification says. */
export interface RubyGem {
  readonly name: string;
  readonly version: string;
  readonly platform?: string;
  readonly licences?: readonly string[];
  readonly authors?: readonly string[];
  readonly homepage?: string;
  /** Names of gems that it needs at run time. */
  readonly requires?: readonly string[];
}

const specificationBytes = 4 * 1024 * 1024;

/**
 * Ruby gems: the specifications that RubyGems and Bundler write when they install one (`specifications/*.gemspec`).
 * They are Ruby code, but written by `Gem::Specification#to_ruby` in a fixed form, of which the plain assignments are read.
 */
export const ruby: Cataloguer<RubyGem> = {
  name: 'ruby',
  version: 1,
  rules: [
    {
      select: { extensions: ['.gemspec'], accept: ({ path }) => path.includes('/specifications/') },
      maxBytes: specificationBytes,
      parse: parseGemSpecification,
    },
  ],
  assemble(view) {
    const homes = new Map<string, FoundFile<RubyGem>[]>();
    for (const file of view.files)
      homes.set(homeOf(file.path), [...(homes.get(homeOf(file.path)) ?? []), file]);
    return { components: view.files.map((file) => componentOf(file, homes.get(homeOf(file.path)) ?? [])) };
  },
};

/** The gem home: the default gems that come with Ruby lie one folder deeper in it. */
function homeOf(path: string): string {
  return path.slice(0, path.indexOf('/specifications/'));
}

/** Reads a specification; undefined if it does not assign name and version as plain texts. */
export function parseGemSpecification(content: Uint8Array): RubyGem | undefined {
  const { fields, requires } = readStatements(textOf(content));
  const [name] = textsIn(fields.get('name'));
  const [version] = textsIn(fields.get('version'));
  if (name === undefined || version === undefined) return undefined;
  const [platform] = textsIn(fields.get('platform'));
  return {
    name,
    version,
    ...defined({
      platform,
      licences: filled(textsIn(fields.get('licenses') ?? fields.get('license'))),
      authors: filled(textsIn(fields.get('authors'))),
      homepage: webAddress(textsIn(fields.get('homepage'))[0]),
      requires: filled([...requires]),
    }),
  };
}

function filled(list: readonly string[]): readonly string[] | undefined {
  return list.length > 0 ? list : undefined;
}

const assignment = /^\w+\.(name|version|platform|homepage|licenses|license|authors)\s*=/;
const dependency = /^\w+\.add_(?:runtime_)?dependency[\s(]+(?:%q<|["'])([\w.-]+)/;

/** The first assignment to each field, and the names of the gems needed at run time. */
function readStatements(text: string): {
  fields: ReadonlyMap<string, string>;
  requires: ReadonlySet<string>;
} {
  const fields = new Map<string, string>();
  const requires = new Set<string>();
  for (const raw of text.split('\n')) {
    const line = raw.trim().replaceAll('.freeze', '');
    const [whole = '', field] = assignment.exec(line) ?? [];
    if (field !== undefined && !fields.has(field)) fields.set(field, line.slice(whole.length));
    const needed = dependency.exec(line)?.[1];
    if (needed !== undefined) requires.add(needed);
  }
  return { fields, requires };
}

/** The quoted texts in a value, with Ruby's `\u` escapes; interpolations cannot be known. */
function textsIn(value: string | undefined): string[] {
  const quoted = (value ?? '').matchAll(/"([^"]*)"|'([^']*)'/g);
  return [...quoted]
    .map(([, double, single]) => (double ?? single ?? '').replace(/\\u\{?([0-9A-F]{4,6})\}?/gi, decodeEscape))
    .filter((text) => text !== '' && !text.includes('#{'));
}

function decodeEscape(whole: string, hex: string): string {
  const point = Number.parseInt(hex, 16);
  return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
}

function componentOf(
  { path, layer, fact }: FoundFile<RubyGem>,
  home: readonly FoundFile<RubyGem>[],
): FoundComponent {
  const required = (fact.requires ?? []).map((name) => newest(home, name));
  const dependsOn = required.flatMap((gem) => (gem === undefined ? [] : identityOf(gem).ref));
  const [author] = fact.authors ?? [];
  return {
    ...identityOf(fact),
    ...defined({
      supplier: author === undefined ? undefined : { name: author },
      licences: fact.licences,
      externalReferences:
        fact.homepage === undefined ? undefined : [{ type: 'website' as const, url: fact.homepage }],
      properties: fact.platform === undefined ? undefined : { 'gem:platform': fact.platform },
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

/** Ruby activates the newest of several versions unless a lock file says otherwise. */
function newest(home: readonly FoundFile<RubyGem>[], name: string): RubyGem | undefined {
  const versions = home.map(({ fact }) => fact).filter((gem) => gem.name === name);
  return versions.sort((a, b) => compareVersions(b.version, a.version))[0];
}

function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

function identityOf({ name, version }: RubyGem) {
  return identify({ type: 'gem', name, version });
}
