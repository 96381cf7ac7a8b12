import { isOwnershipKept } from '../cataloguer.ts';
import type { Cataloguer, CatalogueView, FileStat, FoundComponent, FoundFile } from '../cataloguer.ts';
import { parseContact } from '../contact.ts';
import { definedFields } from '../defined-fields.ts';
import { formatPurl } from '../purl.ts';
import { parseDebianCopyright } from './debian-copyright.ts';
import { parseDependencyField, resolveAlternatives } from './dpkg-dependencies.ts';
import { parseDpkgStatus } from './dpkg-status.ts';
import type { DpkgPackage } from './dpkg-status.ts';

/** What one file of dpkg's says. */
export type DpkgFact =
  | { readonly kind: 'status'; readonly packages: readonly DpkgPackage[] }
  | { readonly kind: 'files'; readonly paths: readonly string[] }
  | { readonly kind: 'sums'; readonly paths: readonly string[]; readonly sha256: string }
  | { readonly kind: 'copyright'; readonly licences: readonly string[] };

const mebibyte = 1024 * 1024;

/** dpkg's installed packages: Debian, Ubuntu and their kin, and distroless images (`status.d`). */
export const dpkg: Cataloguer<DpkgFact> = {
  name: 'dpkg',
  version: 2,
  rules: [
    {
      select: { names: ['status'], accept: ({ path }) => path.endsWith('lib/dpkg/status') },
      maxBytes: 64 * mebibyte,
      parse: parseStatus,
    },
    {
      select: { parents: ['status.d'], accept: isStatusFragment },
      maxBytes: mebibyte,
      parse: parseStatus,
    },
    {
      select: { extensions: ['.list'], accept: ({ path }) => path.includes('lib/dpkg/info/') },
      maxBytes: 16 * mebibyte,
      parse: (content) => keepPaths(toText(content).split('\n')),
    },
    {
      // Lines of `<md5>  <path>`, written when the package was built; distroless has these instead of lists.
      select: {
        extensions: ['.md5sums'],
        accept: ({ path }) => /lib\/dpkg\/(?:info|status\.d)\//.test(path),
      },
      maxBytes: 16 * mebibyte,
      digests: ['sha256'],
      parse: (content, { path }, { sha256 = '' }) => {
        const lines = path.includes('/status.d/') ? toText(content).split('\n') : [];
        return { kind: 'sums', sha256, paths: lines.map((line) => line.slice(34)).filter(isOwnershipKept) };
      },
    },
    {
      select: { names: ['copyright'], accept: ({ path }) => path.startsWith('usr/share/doc/') },
      // The longest in Debian 12 is Boost's, of 1.5 MB.
      maxBytes: 8 * mebibyte,
      parse: (content) => {
        const licences = parseDebianCopyright(toText(content));
        return licences.length === 0 ? undefined : { kind: 'copyright', licences };
      },
    },
  ],
  assemble(view) {
    const installed = view.files.flatMap((file) =>
      file.fact.kind === 'status' ? file.fact.packages.map((found) => ({ found, file })) : [],
    );
    const refs = new Map(installed.map(({ found }) => [packageKey(found), purlOf(found, view)]));
    const index = new ProviderIndex(installed.map(({ found }) => found));
    return {
      components: installed.map(({ found, file }) => toComponent(found, file, { view, refs, index })),
    };
  },
};

function toText(content: Uint8Array): string {
  return Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('utf8');
}

function parseStatus(content: Uint8Array): DpkgFact | undefined {
  const packages = parseDpkgStatus(toText(content));
  return packages.length === 0 ? undefined : { kind: 'status', packages };
}

function isStatusFragment({ path }: FileStat): boolean {
  return path.includes('lib/dpkg/status.d/') && !path.endsWith('.md5sums');
}

function keepPaths(lines: readonly string[]): DpkgFact | undefined {
  const paths = lines.filter(isOwnershipKept);
  return paths.length === 0 ? undefined : { kind: 'files', paths };
}

function packageKey({ name, architecture }: DpkgPackage): string {
  return `${name}:${architecture}`;
}

function purlOf({ name, version, architecture, source, sourceVersion }: DpkgPackage, view: View): string {
  const upstream =
    source === undefined ? undefined : sourceVersion === undefined ? source : `${source}@${sourceVersion}`;
  return formatPurl({
    type: 'deb',
    namespace: view.distro?.id ?? 'debian',
    name,
    version,
    qualifiers: { arch: architecture, distro: view.distro?.qualifier, upstream },
  });
}

type View = CatalogueView<DpkgFact>;

/** Which installed packages answer to a name, for dependencies on names and on virtual packages. */
class ProviderIndex {
  readonly #byName = new Map<string, DpkgPackage[]>();

  constructor(packages: readonly DpkgPackage[]) {
    for (const found of packages) this.#add(found.name, found);
    for (const found of packages) {
      for (const [provided] of parseDependencyField(found.provides ?? '')) {
        if (provided !== undefined) this.#add(provided, found);
      }
    }
  }

  #add(name: string, found: DpkgPackage): void {
    const list = this.#byName.get(name);
    if (list === undefined) this.#byName.set(name, [found]);
    else list.push(found);
  }

  /** The package that satisfies `name` for a dependant of `architecture`: of the same architecture where there is one. */
  find(name: string, architecture: string): DpkgPackage | undefined {
    const list = this.#byName.get(name);
    return list?.find((found) => found.architecture === architecture) ?? list?.[0];
  }
}

interface Assembly {
  readonly view: View;
  /** Purls by package key. */
  readonly refs: ReadonlyMap<string, string>;
  readonly index: ProviderIndex;
}

function toComponent(found: DpkgPackage, file: FoundFile<DpkgFact>, assembly: Assembly): FoundComponent {
  const { view, refs, index } = assembly;
  const ref = refs.get(packageKey(found)) ?? purlOf(found, view);
  const copyright = view.find(`usr/share/doc/${found.name}/copyright`);
  const needed = resolveAlternatives(found.depends ?? '', (name) => index.find(name, found.architecture));
  const { path, layer } = file;
  return {
    ref,
    purl: ref,
    name: found.name,
    version: found.version,
    supplier: parseContact(found.maintainer ?? view.distro?.prettyName ?? 'Debian'),
    ...(copyright?.fact.kind === 'copyright' ? { licences: copyright.fact.licences } : {}),
    ...(found.homepage === undefined
      ? {}
      : { externalReferences: [{ type: 'website', url: found.homepage }] }),
    locations: [
      { path, layer },
      ...(copyright === undefined ? [] : [{ path: copyright.path, layer: copyright.layer }]),
    ],
    technique: 'manifest-analysis',
    confidence: 1,
    dependsOn: needed.map((other) => refs.get(packageKey(other)) ?? '').filter((other) => other !== ref),
    dependencies: 'complete',
    ...definedFields({ manifestHash: manifestHash(found, view) }),
    ...(found.source === undefined ? {} : { properties: { 'source-package': found.source } }),
    ownedPaths: ownedPaths(found, view),
  };
}

function ownedPaths(found: DpkgPackage, view: View): readonly string[] {
  return [...recordsOf(found, '.list'), ...recordsOf(found, '.md5sums')].flatMap((path) => {
    const fact = view.find(path)?.fact;
    return fact?.kind === 'files' || fact?.kind === 'sums' ? fact.paths : [];
  });
}

/** dpkg keeps no hash of the package file; the list of its files' checksums comes with it, and with no other. */
function manifestHash(found: DpkgPackage, view: View): FoundComponent['manifestHash'] {
  const facts = recordsOf(found, '.md5sums').map((path) => view.find(path)?.fact);
  const sums = facts.find((fact) => fact?.kind === 'sums');
  return sums?.kind === 'sums' ? { of: 'md5sums', algorithm: 'SHA-256', hex: sums.sha256 } : undefined;
}

function recordsOf({ name, architecture }: DpkgPackage, extension: string): readonly string[] {
  return [
    `var/lib/dpkg/info/${name}${extension}`,
    `var/lib/dpkg/info/${name}:${architecture}${extension}`,
    `var/lib/dpkg/status.d/${name}${extension}`,
  ];
}
