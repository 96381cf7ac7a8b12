import type { ImagePlatform } from './layer-source.ts';

/** What the archive says of a file before its content is read. */
export interface FileStat {
  /** Path from the image's root without leading slash, directory symlinks resolved: `usr/lib/os-release`. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Permission bits, e.g. 0o755. */
  readonly mode: number;
}

/**
 * Which files a rule wants. A file is a candidate if one of the lists names it; `accept` then narrows. The lists are
 * an index: an image may have a million files, and a file that no list names costs nothing.
 */
export interface FileSelector {
  /** Exact base names: `package.json`. */
  readonly names?: readonly string[];
  /** Last extensions with the dot, lower case; the file's is lowered before it is compared: `.jar`. */
  readonly extensions?: readonly string[];
  /** Exact names of the directory that the file lies in: `status.d`. */
  readonly parents?: readonly string[];
  /** Formats told by a file's first bytes. */
  readonly magic?: readonly 'elf'[];
  /** A last, pure look at path, size and mode; absent: every candidate is wanted. */
  accept?(file: FileStat): boolean;
}

/** Digests of a file's content, lower-case hex, for those that the rule asked for. */
export interface ContentDigests {
  readonly sha1?: string;
  readonly sha256?: string;
}

/** What a stream gives at the end if only the whole file can tell; see {@link StreamedFileRule.whole}. */
export const readWhole: unique symbol = Symbol('read whole');

/** Takes a file's content piece by piece; a `chunk` is valid during the call only. */
export interface FactStream<Fact> {
  write(chunk: Uint8Array): void;
  /** Called once after the last chunk; undefined: nothing here is worth keeping. */
  end(digests: ContentDigests): Fact | typeof readWhole | undefined;
}

interface RuleBase {
  readonly select: FileSelector;
  /** Digests to compute while the content passes by (each once a file, shared by all rules). */
  readonly digests?: readonly ('sha1' | 'sha256')[];
}

/** A rule for files that are read as a whole. A larger file than `maxBytes` becomes a gap and is not parsed. */
export interface WholeFileRule<Fact> extends RuleBase {
  readonly maxBytes: number;
  /**
   * The facts in `content`, which is valid during the call only (copy what is kept; strings are copies). They
   * depend on the content alone: a hard link shares the facts of its other name. Throws on malformed content, which
   * becomes a gap. Undefined: nothing here is worth keeping.
   */
  parse(content: Uint8Array, file: FileStat, digests: ContentDigests): Fact | undefined;
}

/** A rule for files of any size of which parts are enough. It keeps its own memory bounded. */
export interface StreamedFileRule<Fact> extends RuleBase {
  /** Starts on one file; the same promise as {@link WholeFileRule.parse}. */
  open(file: FileStat): FactStream<Fact>;
  /** Reads the file once more, as a whole, after the stream has ended with `readWhole`: for the rare case, it takes time. */
  readonly whole?: WholeFileRule<Fact>;
}

/** How one sort of file is found and read. */
export type FileRule<Fact> = WholeFileRule<Fact> | StreamedFileRule<Fact>;

/** Where something was seen: the file, and the layer (index from the bottom) that brought it. */
export interface Location {
  readonly path: string;
  readonly layer: number;
}

/** A file of the merged image with what its cataloguer read in it. */
export interface FoundFile<Fact> extends Location {
  readonly fact: Fact;
}

/** The distribution that `os-release` names. */
export interface Distro {
  /** `ID`, e.g. `debian`. */
  readonly id: string;
  /** `VERSION_ID`, e.g. `12`; absent on rolling releases. */
  readonly versionId?: string;
  readonly prettyName?: string;
  readonly homeUrl?: string;
  /** The purl qualifier: `debian-12`, or the bare id. */
  readonly qualifier: string;
}

/** The merged image as one cataloguer sees it: its own facts that no later layer deleted or replaced. */
export interface CatalogueView<Fact> {
  /** Ordered by path (code units). */
  readonly files: readonly FoundFile<Fact>[];
  readonly platform: ImagePlatform;
  readonly distro: Distro | undefined;
  /** This cataloguer's file at `path`, symlinks followed. */
  find(path: string): FoundFile<Fact> | undefined;
  /** `path` with every symlink resolved inside the image; undefined in a loop. It need not exist. */
  realPath(path: string): string | undefined;
  /** `ref` of the distribution's package that owns the file, for paths that {@link isOwnershipKept} keeps. */
  ownerOf(path: string): string | undefined;
}

/** A hash of a component's own bytes (not of files inside it). */
export interface ComponentHash {
  readonly algorithm: 'MD5' | 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512';
  /** Lower-case hex. */
  readonly hex: string;
}

/** A component as a cataloguer found it. Equal `ref`s, also of different cataloguers, become one component. */
export interface FoundComponent {
  /** Identity in the BOM and the target of edges: the purl, or `<kind>:<text>` where there is none. */
  readonly ref: string;
  /** Canonical purl, made by `formatPurl`. */
  readonly purl?: string;
  /** Default `library`. */
  readonly type?: 'library' | 'application' | 'framework' | 'operating-system' | 'platform';
  /** npm scope with `@`, Maven group, PHP vendor. */
  readonly group?: string;
  readonly name: string;
  readonly version?: string;
  readonly description?: string;
  /** Who distributes it: distribution's maintainer, vendor, registry account. */
  readonly supplier?: { readonly name: string; readonly email?: string; readonly url?: string };
  readonly author?: string;
  /** Licences as declared, each a name or an expression in any spelling; the BOM maps them to SPDX. */
  readonly licences?: readonly string[];
  readonly hashes?: readonly ComponentHash[];
  /**
   * For want of those: the hash that a package database names the package by, or that of the file that names the
   * component. It must be the component's alone.
   */
  readonly manifestHash?: ComponentHash & { /** What was hashed. */ readonly of: string };
  /** CycloneDX scope; `excluded` for development-only packages. Default: none. */
  readonly scope?: 'required' | 'optional' | 'excluded';
  readonly externalReferences?: readonly {
    readonly type: 'website' | 'vcs' | 'distribution' | 'issue-tracker' | 'documentation';
    readonly url: string;
  }[];
  /** CPE 2.3, only for findings that no purl type can name. */
  readonly cpe?: string;
  /** Where it was found; the first is where it was identified. */
  readonly locations: readonly [Location, ...Location[]];
  /** How it was identified. */
  readonly technique: 'manifest-analysis' | 'binary-analysis' | 'hash-comparison' | 'filename';
  /** 0 to 1. */
  readonly confidence: number;
  /** `ref`s that it needs at run time; those that no cataloguer found are left out of the BOM. */
  readonly dependsOn?: readonly string[];
  /** Whether `dependsOn` is all of it. Default `unknown`. */
  readonly dependencies?: 'complete' | 'incomplete' | 'unknown';
  /** Why something about it may be missing; the component is marked incomplete. */
  readonly incomplete?: string;
  /** Further facts, names without prefix: `{'source-package': 'glibc'}` becomes `chainwright:source-package`. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Paths of its files that {@link isOwnershipKept} keeps, for `ownerOf`; packages of a distribution only. */
  readonly ownedPaths?: readonly string[];
}

/** Something that could not be read; the BOM says so instead of being silently short. */
export interface Gap extends Location {
  readonly cataloguer: string;
  readonly reason: string;
}

/** What a cataloguer found in the merged image. */
export interface Findings {
  readonly components: readonly FoundComponent[];
  readonly gaps?: readonly Omit<Gap, 'cataloguer'>[];
}

/**
 * One ecosystem's reader. It works in two steps: `rules` turn single files into facts while the layers stream by
 * (facts are cached per layer), and `assemble` makes components of the facts that survive in the merged image.
 * `Fact` is plain JSON data, small, and independent of other files and layers.
 */
export interface Cataloguer<Fact> {
  /** Short kebab-case name, unique in the table: `npm`. */
  readonly name: string;
  /** Raised whenever the facts of the same bytes change: it is part of the cache's key. */
  readonly version: number;
  readonly rules: readonly FileRule<Fact>[];
  assemble(view: CatalogueView<Fact>): Findings;
}

/** A cataloguer whose facts only it understands: what the table holds. */
export type AnyCataloguer = Cataloguer<unknown>;

const ownedOfInterest = /(?:^|\/)(?:s?bin|libexec)\/[^/]+$|\.(?:jar|war|ear|so(?:\.[\d.]+)?)$|\/release$/;

/** True for the paths whose owner is remembered: programs, shared objects, archives, JVM `release` files. */
export function isOwnershipKept(path: string): boolean {
  return ownedOfInterest.test(path);
}
