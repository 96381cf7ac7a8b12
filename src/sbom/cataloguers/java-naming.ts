import { defined } from './formats/json-fields.ts';
import type { JavaArchive } from './java-archive.ts';
import { findGroup, isReversedDomain, manifestGroup } from './java-group-search.ts';
import type { MavenPom } from './java-pom.ts';

/** Maven coordinates of an archive, as far as it lets them be known. */
export interface JavaName {
  readonly group?: string;
  readonly artifact: string;
  readonly version?: string;
  /** The pom that these are of. */
  readonly pom?: MavenPom;
  /** 0 to 1: how sure the coordinates are. */
  readonly confidence: number;
}

/** Words that belong to a version, not to a name: `1.0-beta-2`, `31.1-jre`. */
const qualifier =
  /^(?:alpha|beta|rc|cr|m|b|sp|ga|final|release|snapshot|jre|android|incubating|pre|dev|ea|lts|hadoop)\d*$/i;

/** Splits `log4j-1.2-api-2.17.1` into name and version. Linear in the name's length. */
export function splitArchiveName(fileName: string): { name: string; version?: string } {
  const base = fileName.slice(fileName.lastIndexOf('/') + 1);
  const dot = base.lastIndexOf('.');
  const stem = dot > 0 ? base.slice(0, dot) : base;
  const parts = stem.split('-');
  const isNumber = (part: string): boolean => /^(?:v?\d|r(?:ev)?\d|build\d)/.test(part);
  const starts = parts.flatMap((part, index) => (index > 0 && isNumber(part) ? [index] : []));
  // A number with a word after it that no version has is part of the name: the version starts behind that word.
  const start = starts.find((index) =>
    parts
      .slice(index + 1)
      .every((part) => isNumber(part) || qualifier.test(part) || !hasNumberAfter(parts, part)),
  );
  if (start === undefined) return splitOtherSeparators(stem);
  return { name: parts.slice(0, start).join('-'), version: parts.slice(start).join('-') };
}

function hasNumberAfter(parts: readonly string[], part: string): boolean {
  return parts.slice(parts.indexOf(part) + 1).some((later) => /^\d+\.\d/.test(later));
}

/** Some name archives `name_1.2.3` (OSGi), `name.1.2.3` or `name1.2.3.4`. */
function splitOtherSeparators(stem: string): { name: string; version?: string } {
  const unseparated = /^(.*[a-z])(\d+(?:\.\d+){2,})$/i.exec(stem);
  if (unseparated?.[1] !== undefined) return defined({ name: unseparated[1], version: unseparated[2] });
  const match = /[._](?=v?\d+\.\d[\w.]*$)/.exec(stem);
  if (match === null || match.index === 0) return { name: stem };
  return { name: stem.slice(0, match.index), version: stem.slice(match.index + 1) };
}

/** The groups under which the poms of an image require artifacts, by artifact; only those where they agree. */
export type RequiredGroups = ReadonlyMap<string, string>;

/** Works out an archive's coordinates; `fileName` is that of the file or entry. Undefined: it shows no name at all. */
export function nameArchive(
  archive: JavaArchive,
  fileName: string,
  required: RequiredGroups = new Map(),
): JavaName | undefined {
  const file = splitArchiveName(fileName);
  const manifest = archive.manifest ?? {};
  const version = file.version ?? versionOf(manifest);
  const pom = mainPom(archive, { ...file, ...defined({ version }) });
  if (pom !== undefined) {
    const group = pom.group ?? manifestGroup(manifest, pom.artifact);
    const confidence = pom.version === undefined ? 0.8 : 1;
    return {
      artifact: pom.artifact,
      confidence,
      pom,
      ...defined({ group, version: pom.version ?? version }),
    };
  }
  if (file.name === '') return undefined;
  const { artifact, group: fileGroup } = splitGroup(file.name, manifest);
  const evidence = defined({ version, fileGroup, root: archive.root, required: required.get(artifact) });
  return {
    artifact,
    group: findGroup({ artifact, manifest, ...evidence }) ?? artifact,
    confidence: version === undefined ? 0.4 : 0.6,
    ...defined({ version }),
  };
}

/** The pom of the archive itself, among those of what was shaded into it. */
function mainPom(archive: JavaArchive, file: { name: string; version?: string }): MavenPom | undefined {
  const poms = archive.poms ?? [];
  const exact = poms.filter(({ artifact }) => artifact === file.name);
  const sameVersion = exact.find(({ version }) => version === file.version);
  if (exact.length > 0) return sameVersion ?? exact[0];
  const alike = poms.filter(
    ({ artifact, group }) =>
      file.name === `${group ?? ''}.${artifact}` ||
      artifact.startsWith(file.name) ||
      file.name.endsWith(artifact),
  );
  if (alike.length > 0) return alike.find(({ version }) => version === file.version) ?? alike[0];
  // An application's archive is often renamed; what it was built as, its only pom tells.
  const isApplication = archive.manifest?.['spring-boot-version'] !== undefined || file.version === undefined;
  return poms.length === 1 && isApplication ? poms[0] : undefined;
}

/** Some builds name files `com.example.artifact`; OSGi bundles' artifacts have the dots in their own names. */
function splitGroup(
  name: string,
  manifest: Readonly<Record<string, string>>,
): { artifact: string; group?: string } {
  const parts = name.split('.');
  const isBundle = (manifest['bundle-symbolicname'] ?? '').split(';')[0]?.trim() === name;
  const isGrouped = parts.length > 2 && isReversedDomain(name) && !name.startsWith('org.eclipse.');
  if (!isGrouped) return { artifact: name };
  const group = parts.slice(0, -1).join('.');
  return { artifact: isBundle ? name : (parts.at(-1) ?? name), group };
}

function versionOf(manifest: Readonly<Record<string, string>>): string | undefined {
  const names = ['implementation-version', 'specification-version', 'plugin-version', 'bundle-version'];
  const found = names
    .map((name) => manifest[name])
    .find((value) => value !== undefined && /^[\w.+-]+$/.test(value));
  return found;
}
