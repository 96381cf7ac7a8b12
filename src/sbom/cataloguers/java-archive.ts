import { hash } from 'node:crypto';
import { messageOf } from '../../model/errors.ts';
import { parseCycloneDx } from './formats/cyclonedx-document.ts';
import type { EmbeddedBom } from './formats/cyclonedx-document.ts';
import { defined, textOf } from './formats/json-fields.ts';
import { isZipArchive, ZipArchive } from './formats/zip-archive.ts';
import { ZipStream } from './formats/zip-stream.ts';
import type { ZipVisitor } from './formats/zip-stream.ts';
import { findLicenceTexts } from './licence-texts.ts';
import { CommonPackage } from './java-package.ts';
import { parsePomProperties, parsePomXml } from './java-pom.ts';
import type { MavenPom } from './java-pom.ts';

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
  /** The package that all its classes share, `com.example.lib`; absent if they share less than two names. */
  readonly root?: string;
  /** SPDX ids of the licences whose text lies in it. */
  readonly licences?: readonly string[];
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
const maxLicenceBytes = 256 * 1024;
const maxPomBytes = 512 * 1024;
const maxBomBytes = 16 * 1024 * 1024;
const maxNestedBytes = 64 * 1024 * 1024;
const maxDepth = 5;
const maxProblemLength = 200;

/** What may be read of one file of the image, over everything nested in it. */
interface Budget {
  inflatedBytes: number;
  archives: number;
  /** Bytes of Maven files: XML takes a microsecond a byte. */
  pomBytes: number;
}

const manifestAttributes = new Set([
  'automatic-module-name',
  'bundle-docurl',
  'bundle-license',
  'bundle-name',
  'bundle-symbolicname',
  'bundle-vendor',
  'bundle-version',
  'extension-name',
  'group-id',
  'groupid',
  'implementation-title',
  'implementation-url',
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

/**
 * Reads a Java archive with everything nested in it; undefined if nothing in it tells a name, or if it is something
 * else (some of these extensions have other meanings). Throws if it is damaged.
 */
export function readJavaArchive(content: Uint8Array, digests: JavaDigests): JavaArchive | undefined {
  if (!isZipArchive(content)) return undefined;
  const level = new JavaLevel(newBudget(), 0);
  level.readAll(content);
  return level.finish({ entry: '', ...digests });
}

/** SHA-1 and SHA-256 of an archive. */
export type JavaDigests = Pick<JavaArchive, 'sha1' | 'sha256'>;

/** Reads an archive that is too large to be kept, while it passes by. */
export class JavaArchiveStream {
  readonly #level = new JavaLevel(newBudget(), 0);
  readonly #zip = new ZipStream(this.#level);

  write(chunk: Uint8Array): void {
    this.#zip.push(chunk);
  }

  end({ sha1 = '', sha256 = '' }: Partial<JavaDigests>): JavaArchive | undefined {
    return this.#zip.end() ? this.#level.finish({ entry: '', sha1, sha256 }) : undefined;
  }
}

function newBudget(): Budget {
  return { inflatedBytes: 1024 ** 3, archives: 5000, pomBytes: 32 * 1024 * 1024 };
}

/** Collects what the entries of one archive tell. */
class JavaLevel implements ZipVisitor {
  readonly #budget: Budget;
  readonly #depth: number;
  readonly #problems = new Set<string>();
  readonly #nested: JavaArchive[] = [];
  /** By folder: `pom.properties` tells the version that was built, `pom.xml` licences and dependencies. */
  readonly #properties = new Map<string, MavenPom>();
  readonly #projects = new Map<string, MavenPom>();
  readonly #package = new CommonPackage();
  #manifest: Record<string, string> | undefined;
  readonly #licences = new Set<string>();
  #bom: EmbeddedBom | undefined;

  constructor(budget: Budget, depth: number) {
    this.#budget = budget;
    this.#depth = depth;
  }

  /** Goes through an archive in memory. Throws if it is no zip archive. */
  readAll(content: Uint8Array): void {
    const zip = ZipArchive.open(content, archiveLimits);
    for (const entry of zip.entries) {
      const maxBytes = this.wanted(entry.name);
      if (maxBytes === undefined) continue;
      try {
        this.visit(entry.name, zip.read(entry, Math.min(maxBytes, this.#budget.inflatedBytes)));
      } catch (error) {
        this.miss(entry.name, error);
      }
    }
  }

  wanted(name: string): number | undefined {
    if (name.endsWith('.class')) {
      this.#package.add(name);
      return undefined;
    }
    if (isJavaArchive(name)) return maxNestedBytes;
    if (isLicence(name)) return maxLicenceBytes;
    if (!name.includes('META-INF/')) return undefined;
    if (/^META-INF\/MANIFEST\.MF$/i.test(name)) return maxManifestBytes;
    if (isPom(name)) return maxPomBytes;
    return isBom(name) ? maxBomBytes : undefined;
  }

  visit(name: string, content: Buffer): void {
    this.#budget.inflatedBytes -= content.length;
    if (this.#budget.inflatedBytes <= 0) throw new Error('the archives nested in it are too large in all');
    if (isJavaArchive(name)) this.#nested.push(this.#readNested(name, content));
    else if (isPom(name)) this.#addPom(name, content);
    else if (isLicence(name)) for (const id of findLicenceTexts(textOf(content))) this.#licences.add(id);
    else if (isBom(name)) this.#bom = parseCycloneDx(content);
    else this.#manifest ??= parseManifest(content);
  }

  miss(_name: string, error: unknown): void {
    this.#problems.add(messageOf(error).slice(0, maxProblemLength));
  }

  /** A zip archive by another name, or a bundle of resources, is no component: undefined. */
  finish(identity: Pick<JavaArchive, 'entry' | 'sha1' | 'sha256'>): JavaArchive | undefined {
    const poms = [...this.#projects].map(([folder, pom]) => ({ ...pom, ...this.#properties.get(folder) }));
    const unpaired = [...this.#properties]
      .filter(([folder]) => !this.#projects.has(folder))
      .map(([, pom]) => pom);
    const all = [...poms, ...unpaired].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    const parts = defined({
      manifest: this.#manifest,
      poms: all.length > 0 ? all : undefined,
      nested: this.#nested.length > 0 ? this.#nested : undefined,
      root: this.#package.name(),
      licences: this.#licences.size > 0 ? [...this.#licences].sort() : undefined,
      bom: this.#bom,
      problem: this.#problems.size > 0 ? [...this.#problems].slice(0, 5).join('; ') : undefined,
    });
    // Neither makes a component by itself: any zip archive may hold classes or a licence.
    const tells = Object.keys(parts).some((part) => part !== 'root' && part !== 'licences');
    return tells ? { ...identity, ...parts } : undefined;
  }

  #readNested(name: string, content: Buffer): JavaArchive {
    this.#budget.archives -= 1;
    if (this.#budget.archives < 0) throw new Error('more archives nested in it than are read');
    const identity = {
      entry: name,
      sha1: hash('sha1', content, 'hex'),
      sha256: hash('sha256', content, 'hex'),
    };
    if (this.#depth >= maxDepth) return { ...identity, problem: `nested deeper than ${maxDepth} archives` };
    const level = new JavaLevel(this.#budget, this.#depth + 1);
    try {
      level.readAll(content);
    } catch (error) {
      level.miss(name, error);
    }
    return level.finish(identity) ?? identity;
  }

  #addPom(name: string, content: Buffer): void {
    this.#budget.pomBytes -= content.length;
    if (this.#budget.pomBytes < 0) throw new Error('more Maven artifacts in it than are read');
    const isProject = name.endsWith('.xml');
    const pom = isProject ? parsedPomXml(content) : parsePomProperties(content);
    const folder = name.slice(0, name.lastIndexOf('/'));
    if (pom === undefined) return;
    const sha256 = hash('sha256', content, 'hex');
    (isProject ? this.#projects : this.#properties).set(folder, { ...pom, sha256 });
  }
}

function isJavaArchive(name: string): boolean {
  const dot = name.lastIndexOf('.');
  return dot > 0 && javaExtensions.includes(name.slice(dot).toLowerCase());
}

/** The archive's own, not those of what was shaded into it, which lie in folders. */
function isLicence(name: string): boolean {
  return /^(?:META-INF\/)?LICEN[CS]E(?:\.txt|\.md)?$/i.test(name);
}

function isPom(name: string): boolean {
  return /(?:^|\/)META-INF\/maven\/[^/]+\/[^/]+\/pom\.(?:properties|xml)$/.test(name);
}

function isBom(name: string): boolean {
  return /^META-INF\/sbom\/[^/]+\.json$/.test(name);
}

function keyOf({ group = '', artifact, version = '' }: MavenPom): string {
  return `${group}:${artifact}:${version}`;
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
