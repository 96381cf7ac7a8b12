import type { Cataloguer, FoundComponent, FoundFile, Location } from '../cataloguer.ts';
import { isReversedDomain } from './java-group-search.ts';
import { identify } from './formats/component-identity.ts';
import { embeddedComponents } from './formats/embedded-components.ts';
import { defined } from './formats/json-fields.ts';
import { JavaArchiveStream, javaExtensions, readJavaArchive } from './java-archive.ts';
import type { JavaArchive } from './java-archive.ts';
import { nameArchive } from './java-naming.ts';
import type { JavaName, RequiredGroups } from './java-naming.ts';
import type { MavenPom } from './java-pom.ts';

/** Archives up to this size are read in memory; of larger ones only an entry at a time is kept. */
const maxArchiveBytes = 8 * 1024 * 1024;

/**
 * Java archives, those nested in them, and what was shaded into them. Coordinates come from the Maven files inside,
 * else from manifest and file name; SHA-1 and SHA-256 let a scanner identify those that say nothing.
 */
export const java: Cataloguer<JavaArchive> = {
  name: 'java',
  version: 2,
  rules: [
    {
      select: { extensions: javaExtensions, accept: ({ size }) => size <= maxArchiveBytes },
      maxBytes: maxArchiveBytes,
      digests: ['sha1', 'sha256'],
      parse: (content, _file, { sha1 = '', sha256 = '' }) => readJavaArchive(content, { sha1, sha256 }),
    },
    {
      select: { extensions: javaExtensions },
      digests: ['sha1', 'sha256'],
      open: () => new JavaArchiveStream(),
    },
  ],
  assemble(view) {
    const required = requiredGroups(view.files.map(({ fact }) => fact));
    const found = view.files.map((file) =>
      membersOf(file, { required, isOwned: view.ownerOf(file.path) !== undefined }),
    );
    const byCoordinates = indexByCoordinates(found.flat());
    const components = found.flatMap((members) => {
      const near = indexByCoordinates(members);
      const resolve = (need: string): readonly string[] => near.get(need) ?? byCoordinates.get(need) ?? [];
      return members.flatMap((member) => componentsOf(member, resolve));
    });
    return { components };
  },
};

/** One named thing in a file of the image: the archive, one nested in it, or an artifact shaded into either. */
interface Member {
  readonly ref: string;
  readonly purl?: string;
  readonly name: JavaName;
  readonly location: Location;
  /** Absent for what was shaded. */
  readonly archive?: JavaArchive;
  /** Refs of what lies in it. */
  readonly contains: readonly string[];
}

interface Surroundings {
  readonly required: RequiredGroups;
  /** Whether a package of the distribution brought the file. */
  readonly isOwned: boolean;
}

/** An archive that a distribution's package brought and that tells no version is no release of its own, but a part of it. */
function membersOf(
  { path, layer, fact }: FoundFile<JavaArchive>,
  { required, isOwned }: Surroundings,
): Member[] {
  const members: Member[] = [];
  addArchive(members, fact, { location: { path, layer }, required });
  return isOwned ? members.filter(({ name }) => name.version !== undefined) : members;
}

/** An artifact's group by what other artifacts' poms require, where all of them agree. */
function requiredGroups(archives: readonly JavaArchive[]): RequiredGroups {
  const groups = new Map<string, string>();
  const ambiguous = new Set<string>();
  const collect = ({ poms = [], nested = [] }: JavaArchive): void => {
    for (const need of poms.flatMap((pom) => pom.needs ?? [])) {
      const [group = '', artifact = ''] = need.split(':');
      if ((groups.get(artifact) ?? group) !== group) ambiguous.add(artifact);
      groups.set(artifact, group);
    }
    nested.forEach(collect);
  };
  archives.forEach(collect);
  return new Map([...groups].filter(([artifact]) => !ambiguous.has(artifact)));
}

/** Adds an archive after what it contains, and gives its ref, or those of its content if it has no name itself. */
function addArchive(
  members: Member[],
  archive: JavaArchive,
  { location, required }: { readonly location: Location; readonly required: RequiredGroups },
): readonly string[] {
  const name = nameArchive(archive, location.path, required);
  const nested = (archive.nested ?? []).flatMap((inner) => {
    const inside = { path: `${location.path}!/${inner.entry}`, layer: location.layer };
    return addArchive(members, inner, { location: inside, required });
  });
  const shaded = (archive.poms ?? []).flatMap((pom) => addShaded(members, pom, name, location));
  const contains = [...nested, ...shaded];
  // Instrumentation archives carry the name of what they instrument.
  if (name === undefined || archive.manifest?.['weave-classes'] !== undefined) return contains;
  const identity = identityOf(name);
  members.push({ ...identity, name, location, archive, contains });
  return [identity.ref];
}

function addShaded(
  members: Member[],
  pom: MavenPom,
  main: JavaName | undefined,
  location: Location,
): string[] {
  if (pom === main?.pom || pom.version === undefined) return [];
  const name: JavaName = {
    artifact: pom.artifact,
    pom,
    confidence: 0.9,
    ...defined({ group: pom.group, version: pom.version }),
  };
  const identity = identityOf(name);
  members.push({ ...identity, name, location, contains: [] });
  return [identity.ref];
}

function identityOf({ group, artifact, version }: JavaName) {
  return identify({ type: 'maven', namespace: group ?? artifact, name: artifact, version });
}

function indexByCoordinates(members: readonly Member[]): ReadonlyMap<string, readonly string[]> {
  const index = new Map<string, readonly string[]>();
  for (const { ref, name } of members) {
    const key = `${name.group ?? ''}:${name.artifact}`;
    const known = index.get(key) ?? [];
    if (!known.includes(ref)) index.set(key, [...known, ref]);
  }
  return index;
}

function componentsOf(member: Member, resolve: (need: string) => readonly string[]): FoundComponent[] {
  const { ref, purl, name, location, archive, contains } = member;
  const needs = (name.pom?.needs ?? []).flatMap(resolve).filter((target) => target !== ref);
  const component: FoundComponent = {
    ref,
    ...defined({ purl, group: name.group, version: name.version, supplier: supplierOf(name, archive) }),
    ...(archive === undefined ? manifestHashOf(name) : partsOfArchive(archive)),
    ...defined({ licences: name.pom?.licences ?? licencesOf(archive) }),
    name: name.artifact,
    locations: [location],
    technique: isNamedByFile(member) ? 'filename' : 'manifest-analysis',
    confidence: name.confidence,
    dependsOn: [...contains, ...needs],
    dependencies: name.pom?.needs === undefined ? 'unknown' : 'incomplete',
  };
  const bom = archive?.bom;
  if (bom === undefined) return [component];
  return [component, ...embeddedComponents(bom, { location, origin: 'Spring Boot' })];
}

function isNamedByFile({ name, archive }: Member): boolean {
  return name.pom === undefined && archive?.manifest === undefined;
}

/** What was shaded has no bytes of its own left but the Maven file that names it. */
function manifestHashOf({ pom }: JavaName): Pick<FoundComponent, 'manifestHash'> {
  if (pom?.sha256 === undefined) return {};
  return { manifestHash: { of: 'Maven file', algorithm: 'SHA-256', hex: pom.sha256 } };
}

/** What only a file of its own has, and an artifact shaded into another has not. */
function partsOfArchive(archive: JavaArchive) {
  return defined({
    type: archive.nested === undefined ? undefined : ('application' as const),
    hashes: hashesOf(archive),
    incomplete: archive.problem,
  });
}

function hashesOf({ sha1, sha256 }: JavaArchive): FoundComponent['hashes'] {
  return [
    { algorithm: 'SHA-1', hex: sha1 },
    { algorithm: 'SHA-256', hex: sha256 },
  ];
}

function supplierOf(name: JavaName, archive: JavaArchive | undefined): { name: string } | undefined {
  const { 'implementation-vendor': vendor, 'bundle-vendor': bundleVendor } = archive?.manifest ?? {};
  const supplier = vendor ?? bundleVendor ?? name.pom?.supplier;
  if (supplier !== undefined) return { name: supplier.slice(0, 200) };
  // The group is a domain name of whoever publishes it, checked by Maven Central.
  return name.group === undefined || !isReversedDomain(name.group) ? undefined : { name: name.group };
}

/**
 * What the manifest declares, else the licences whose text the archive holds. `Bundle-License` lists names or addresses
 * with attributes: `Apache-2.0;link="https://..."`.
 */
function licencesOf(archive: JavaArchive | undefined): readonly string[] | undefined {
  const declared = archive?.manifest?.['bundle-license'] ?? archive?.manifest?.['plugin-license-name'];
  if (declared === undefined) return archive?.licences;
  const names = declared
    .split(',')
    .map((clause) => (clause.split(';')[0] ?? '').trim().replace(/^"|"$/g, ''));
  const known = names.filter((name) => name !== '' && name !== '<<EXTERNAL>>');
  return known.length > 0 ? known : archive?.licences;
}
