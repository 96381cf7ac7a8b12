import { hash } from 'node:crypto';
import { parseCycloneDx } from './formats/cyclonedx-document.ts';
import type { EmbeddedBom } from './formats/cyclonedx-document.ts';
import { defined, textOf } from './formats/json-fields.ts';
import { ZipArchive } from './formats/zip-archive.ts';
import type { ZipEntry } from './formats/zip-archive.ts';
import { parsePomProperties, parsePomXml } from './java-pom.ts';
import type { MavenPom } from './java-pom.ts';
import { messageOf } from '../../model/errors.ts';

/** What a Java archive says about itself and the archives inside it. */
export interface JavaArchive {
  /** Path inside the archive around it; empty for a file of the image. */
  readonly entry: string;
  readonly sha1: string;
  readonly sha256: string;
  /** The attributes of the manifest's main section that tell who it is. */
  readonly manifest?: Readonly<Record<string, string>>;
  readonly poms?: readonly MavenPom[];
  readonly nested?: readonly JavaArchive[];
  /** Spring Boot's `META-INF/sbom/application.cdx.json`. */
  readonly bom?: EmbeddedBom;
  /** Why something in it is not listed here. */
  readonly problem?: string;
}

/** Archives of Java code: libraries, applications, plug-ins and resource adapters of all sorts. */
export const javaExtensions = [
  '.jar',
  '.war',
  '.ear',
  '.par',
  '.sar',
  '.nar',
  '.jpi',
  '.hpi',
  '.kar',
  '.far',
  '.lpkg',
  '.rar',
  '.zap',
];

const archiveLimits = { entries: 200_000 };
const maxManifestBytes = 1024 * 1024;
const maxPomBytes = 2 * 1024 * 1024;
const maxBomBytes = 16 * 1024 * 1024;
const maxNestedBytes = 64 * 1024 * 1024;
const maxDepth = 5;

/** Of one file of the image, over everything nested in it. */
interface Budget {
  inflatedBytes: number;
  archives: number;
  poms: number;
}

const manifestAttributes = new Set([
  'automatic-module-name',
  'bundle-license',
  'bundle-name',
  'bundle-symbolicname',
  'bundle-vendor',
  'bundle-version',
  'extension-name',
  'group-id',
  'implementation-title',
  'implementation-vendor',
  'implementation-vendor-id',
  'implementation-version',
  'main-class',
  'plugin-license-name',
  'plugin-version',
  'short-name',
  'specification-title',
  'specification-vendor',
  'specification-version',
  'spring-boot-version',
  'weave-classes',
]);

/** Reads a Java archive with everything nested in it. Throws if it is no zip archive. */
export function readJavaArchive(
  content: Uint8Array,
  digests: { sha1: string; sha256: string },
): JavaArchive | undefined {
  const budget: Budget = { inflatedBytes: 1024 ** 3, archives: 5000, poms: 20_000 };
  const archive = readLevel(content, { entry: '', ...digests }, { budget, depth: 0 });
  return isEmpty(archive) ? undefined : archive;
}

/** A zip archive by another name, or a bundle of resources, is no component. */
function isEmpty(archive: JavaArchive): boolean {
  const { manifest, poms, nested, bom, problem } = archive;
  return [manifest, poms, nested, bom, problem].every((part) => part === undefined);
}

interface Level {
  readonly budget: Budget;
  readonly depth: number;
}

function readLevel(
  content: Uint8Array,
  identity: Pick<JavaArchive, 'entry' | 'sha1' | 'sha256'>,
  level: Level,
): JavaArchive {
  const zip = ZipArchive.open(content, archiveLimits);
  const problems = new Set<string>();
  /** What a damaged entry would have told is missing; the rest still counts. */
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      problems.add(messageOf(error).slice(0, 200));
      return undefined;
    }
  };
  const read = (entry: ZipEntry | undefined, maxBytes: number): Buffer | undefined =>
    entry === undefined ? undefined : attempt(() => readBounded(zip, entry, maxBytes, level.budget));
  const manifest = read(
    zip.entries.find(({ name }) => /^META-INF\/MANIFEST\.MF$/i.test(name)),
    maxManifestBytes,
  );
  const bom = read(
    zip.entries.find(({ name }) => /^META-INF\/sbom\/[^/]+\.json$/.test(name)),
    maxBomBytes,
  );
  const poms = readPoms(zip.entries, (entry) => read(entry, maxPomBytes), level.budget);
  const nested = zip.entries
    .filter(({ name }) => isJavaArchive(name))
    .flatMap((entry) => attempt(() => readNested(zip, entry, level)) ?? []);
  return {
    ...identity,
    ...defined({
      manifest: manifest === undefined ? undefined : parseManifest(manifest),
      poms: poms.length > 0 ? poms : undefined,
      nested: nested.length > 0 ? nested : undefined,
      bom: bom === undefined ? undefined : attempt(() => parseCycloneDx(bom)),
      problem: problems.size > 0 ? [...problems].slice(0, 5).join('; ') : undefined,
    }),
  };
}

function readBounded(zip: ZipArchive, entry: ZipEntry, maxBytes: number, budget: Budget): Buffer {
  if (budget.inflatedBytes <= 0) throw new Error('the archives nested in it are too large in all');
  const content = zip.read(entry, Math.min(maxBytes, budget.inflatedBytes));
  budget.inflatedBytes -= content.length;
  return content;
}

function isJavaArchive(name: string): boolean {
  const dot = name.lastIndexOf('.');
  return dot > 0 && javaExtensions.includes(name.slice(dot).toLowerCase());
}

function readNested(zip: ZipArchive, entry: ZipEntry, { budget, depth }: Level): JavaArchive {
  if (depth >= maxDepth) throw new Error(`archives nested deeper than ${maxDepth}`);
  budget.archives -= 1;
  if (budget.archives < 0) throw new Error('more archives nested in it than are read');
  const content = readBounded(zip, entry, maxNestedBytes, budget);
  const identity = {
    entry: entry.name,
    sha1: hash('sha1', content, 'hex'),
    sha256: hash('sha256', content, 'hex'),
  };
  try {
    return readLevel(content, identity, { budget, depth: depth + 1 });
  } catch (error) {
    return { ...identity, problem: messageOf(error).slice(0, 200) };
  }
}

/** Each artifact once: `pom.properties` tells the version that was built, `pom.xml` licences and dependencies. */
function readPoms(
  entries: readonly ZipEntry[],
  read: (entry: ZipEntry) => Buffer | undefined,
  budget: Budget,
): MavenPom[] {
  const byFolder = new Map<string, MavenPom>();
  const files = entries.filter(({ name }) =>
    /(?:^|\/)META-INF\/maven\/[^/]+\/[^/]+\/pom\.(?:properties|xml)$/.test(name),
  );
  for (const entry of files.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    budget.poms -= 1;
    if (budget.poms < 0) break;
    const content = read(entry);
    if (content === undefined) continue;
    const folder = entry.name.slice(0, entry.name.lastIndexOf('/'));
    const pom = entry.name.endsWith('.xml') ? parsedPomXml(content) : parsePomProperties(content);
    if (pom !== undefined) byFolder.set(folder, { ...pom, ...byFolder.get(folder) });
  }
  return [...byFolder.values()];
}

/** Malformed XML costs licences and edges only: name and version stand in `pom.properties` as well. */
function parsedPomXml(content: Uint8Array): MavenPom | undefined {
  try {
    return parsePomXml(content);
  } catch {
    return undefined;
  }
}

/** The main section of a manifest (JAR file specification): lines of 72 bytes, continued by a leading space. */
function parseManifest(content: Uint8Array): Record<string, string> {
  const attributes: Record<string, string> = {};
  const [main = ''] = textOf(content)
    .replace(/^\s+/, '')
    .split(/\r?\n\r?\n/);
  for (const line of main.replace(/\r?\n[ \t]/g, '').split(/\r?\n/)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (manifestAttributes.has(name) && value !== '') attributes[name] ??= value.slice(0, 500);
  }
  return attributes;
}
