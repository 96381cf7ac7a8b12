import { isOwnershipKept } from '../cataloguer.ts';
import type { Cataloguer, CatalogueView, FoundComponent, FoundFile } from '../cataloguer.ts';
import { parseContact } from '../contact.ts';
import { definedFields } from '../defined-fields.ts';
import { toLicence } from '../licence.ts';
import { formatPurl } from '../purl.ts';
import { parseApkDatabase } from './apk-database.ts';
import type { ApkPackage } from './apk-database.ts';

/** The packages of one `installed` database. */
export interface ApkFact {
  readonly packages: readonly ApkPackage[];
}

const maxDatabaseBytes = 64 * 1024 * 1024;

/** Alpine's installed packages (apk-tools, `lib/apk/db/installed`; Wolfi and apk 3 have it below `usr/lib`). */
export const apk: Cataloguer<ApkFact> = {
  name: 'apk',
  version: 1,
  rules: [
    {
      select: { names: ['installed'], accept: ({ path }) => path.endsWith('lib/apk/db/installed') },
      maxBytes: maxDatabaseBytes,
      parse: (content) => {
        const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('utf8');
        const packages = parseApkDatabase(text, isOwnershipKept);
        return packages.length === 0 ? undefined : { packages };
      },
    },
  ],
  assemble(view) {
    const installed = view.files.flatMap((file) => file.fact.packages.map((found) => ({ found, file })));
    const providers = indexProviders(installed.map(({ found }) => found));
    const refs = new Map(installed.map(({ found }) => [found.name, purlOf(found, view)]));
    return {
      components: installed.map(({ found, file }) => toComponent(found, file, { view, providers, refs })),
    };
  },
};

interface Assembly {
  readonly view: CatalogueView<ApkFact>;
  /** Package names by what they provide: `so:libc.musl-x86_64.so.1`, `cmd:sh`, their own name. */
  readonly providers: ReadonlyMap<string, string>;
  /** Purls by package name. */
  readonly refs: ReadonlyMap<string, string>;
}

function indexProviders(packages: readonly ApkPackage[]): ReadonlyMap<string, string> {
  const providers = new Map<string, string>();
  for (const { name, provides } of packages) {
    for (const provided of provides) if (!providers.has(provided)) providers.set(provided, name);
  }
  for (const { name } of packages) providers.set(name, name);
  return providers;
}

function purlOf(
  { name, version, architecture, origin }: ApkPackage,
  { distro }: CatalogueView<ApkFact>,
): string {
  return formatPurl({
    type: 'apk',
    namespace: distro?.id ?? 'alpine',
    name,
    version,
    qualifiers: {
      arch: architecture,
      distro: distro?.qualifier,
      upstream: origin === name ? undefined : origin,
    },
  });
}

function toComponent(found: ApkPackage, file: FoundFile<ApkFact>, assembly: Assembly): FoundComponent {
  const { view, providers, refs } = assembly;
  const ref = refs.get(found.name) ?? purlOf(found, view);
  const supplier = found.maintainer ?? view.distro?.prettyName;
  const needed = found.depends.map((name) => refs.get(providers.get(name) ?? '') ?? '');
  return {
    ref,
    purl: ref,
    name: found.name,
    version: found.version,
    ...(supplier === undefined ? {} : { supplier: parseContact(supplier) }),
    ...(found.licence === undefined ? {} : { licences: licencesOf(found.licence) }),
    ...(found.url === undefined ? {} : { externalReferences: [{ type: 'website', url: found.url }] }),
    locations: [{ path: file.path, layer: file.layer }],
    technique: 'manifest-analysis',
    confidence: 1,
    dependsOn: needed.filter((other) => other !== '' && other !== ref),
    dependencies: 'complete',
    ...definedFields({ manifestHash: controlHash(found.checksum) }),
    properties: {
      ...(found.origin === undefined ? {} : { 'source-package': found.origin }),
      ...(found.checksum === undefined ? {} : { 'apk-checksum': found.checksum }),
    },
    ownedPaths: found.paths,
  };
}

/** Older packages list several licences with nothing but a space between them. */
function licencesOf(text: string): readonly string[] {
  const words = text.split(' ').filter((word) => word !== '');
  return words.every((word) => toLicence(word)?.kind === 'id') ? words : [text];
}

/** apk names a package by the hash of its control segment: `Q1` and SHA-1, or since apk 3 `Q2` and SHA-256, in base64. */
function controlHash(checksum = ''): FoundComponent['manifestHash'] {
  const hex = Buffer.from(checksum.slice(2), 'base64').toString('hex');
  if (checksum.startsWith('Q1') && hex.length === 40)
    return { of: 'control segment', algorithm: 'SHA-1', hex };
  if (checksum.startsWith('Q2') && hex.length === 64)
    return { of: 'control segment', algorithm: 'SHA-256', hex };
  return undefined;
}
