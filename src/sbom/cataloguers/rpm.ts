import type { Cataloguer, CatalogueView, FileStat, FoundComponent, FoundFile } from '../cataloguer.ts';
import { definedFields } from '../defined-fields.ts';
import { formatPurl } from '../purl.ts';
import { readBerkeleyValues } from './rpm-berkeley.ts';
import { parseContainerManifest } from './rpm-container-manifest.ts';
import { parseRpmHeader } from './rpm-header.ts';
import { readNdbBlobs } from './rpm-ndb.ts';
import { linkRpmPackages } from './rpm-packages.ts';
import type { RpmPackage } from './rpm-packages.ts';
import { readSqliteBlobs } from './rpm-sqlite.ts';

/** The packages of one database, with the indexes of those that each needs. */
export interface RpmFact {
  readonly packages: readonly RpmPackage[];
}

/** The largest databases seen, of full desktop systems, are about 200 MB. */
const maxDatabaseBytes = 256 * 1024 * 1024;
const home = /(?:^|\/)(?:var\/lib|usr\/share|usr\/lib\/sysimage)\/rpm\/[^/]+$/;

/** Installed packages of RPM distributions, in each of the three databases that rpm has had, and Azure's manifest. */
export const rpm: Cataloguer<RpmFact> = {
  name: 'rpm',
  version: 2,
  rules: [
    databaseRule('rpmdb.sqlite', readSqliteBlobs),
    databaseRule('Packages', readBerkeleyValues),
    databaseRule('Packages.db', readNdbBlobs),
    {
      select: { names: ['rpmdb.sqlite-wal'], accept: (file) => isInHome(file) && file.size > 0 },
      maxBytes: 0,
      parse: () => undefined,
    },
    {
      select: {
        names: ['container-manifest-2'],
        accept: ({ path }) => path.endsWith('var/lib/rpmmanifest/container-manifest-2'),
      },
      maxBytes: 16 * 1024 * 1024,
      parse: (content) => ({ packages: parseContainerManifest(Buffer.from(content).toString('utf8')) }),
    },
  ],
  assemble(view) {
    return { components: view.files.flatMap((file) => toComponents(file, view)) };
  },
};

type Rule = Cataloguer<RpmFact>['rules'][number];

function isInHome({ path }: FileStat): boolean {
  return home.test(path);
}

function databaseRule(name: string, read: (content: Buffer) => Iterable<Buffer>): Rule {
  return {
    select: { names: [name], accept: isInHome },
    maxBytes: maxDatabaseBytes,
    parse: (content) => {
      const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
      const headers = Array.from(read(bytes), parseRpmHeader);
      return { packages: linkRpmPackages(headers) };
    },
  };
}

function toComponents(file: FoundFile<RpmFact>, view: CatalogueView<RpmFact>): FoundComponent[] {
  const refs = file.fact.packages.map((found) => purlOf(found, view));
  return file.fact.packages.map((found, index) =>
    toComponent(found, file, { view, refs, ref: refs[index] ?? '' }),
  );
}

function purlOf(found: RpmPackage, { distro }: CatalogueView<RpmFact>): string {
  return formatPurl({
    type: 'rpm',
    namespace: distro?.id ?? 'redhat',
    name: found.name,
    version: found.version,
    qualifiers: {
      arch: found.architecture,
      epoch: found.epoch === undefined ? undefined : String(found.epoch),
      distro: distro?.qualifier,
      upstream: found.sourceRpm,
    },
  });
}

interface Assembly {
  readonly view: CatalogueView<RpmFact>;
  readonly refs: readonly string[];
  readonly ref: string;
}

function toComponent(
  found: RpmPackage,
  file: FoundFile<RpmFact>,
  { view, refs, ref }: Assembly,
): FoundComponent {
  const supplier = found.vendor ?? view.distro?.prettyName;
  return {
    ref,
    purl: ref,
    name: found.name,
    // With epoch, as rpm prints it and scanners compare it; the purl has it as qualifier.
    version: found.epoch === undefined ? found.version : `${found.epoch}:${found.version}`,
    ...(supplier === undefined ? {} : { supplier: { name: supplier } }),
    ...(found.licence === undefined ? {} : { licences: [found.licence] }),
    ...(found.url === undefined ? {} : { externalReferences: [{ type: 'website', url: found.url }] }),
    locations: [{ path: file.path, layer: file.layer }],
    technique: 'manifest-analysis',
    confidence: 1,
    dependsOn: found.needs.map((index) => refs[index] ?? '').filter((other) => other !== '' && other !== ref),
    dependencies: found.needsComplete ? 'complete' : 'incomplete',
    ...definedFields({ manifestHash: headerHash(found) }),
    properties: {
      ...(found.sourceRpm === undefined ? {} : { 'source-package': found.sourceRpm }),
      ...(found.modularity === undefined ? {} : { modularity: found.modularity }),
    },
    ownedPaths: found.paths,
  };
}

/** rpm names a package by the hash of its header, which holds that of the payload. */
function headerHash({ sha1 = '', sha256 = '' }: RpmPackage): FoundComponent['manifestHash'] {
  if (/^[0-9a-f]{64}$/.test(sha256)) return { of: 'rpm header', algorithm: 'SHA-256', hex: sha256 };
  return /^[0-9a-f]{40}$/.test(sha1) ? { of: 'rpm header', algorithm: 'SHA-1', hex: sha1 } : undefined;
}
