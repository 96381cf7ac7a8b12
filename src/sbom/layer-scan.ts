import type { FileStat } from './cataloguer.ts';
import { FileContent, ScratchBuffer } from './file-content.ts';
import type { FileContentOptions } from './file-content.ts';
import type { FileFact, FileFacts, FileTree } from './file-tree.ts';
import { joinLayerPath, normaliseLayerPath, splitLayerPath } from './layer-path.ts';
import type { RuleIndex, RuleMatch } from './rule-index.ts';
import { limitFault, symlinkLoopFault } from './sbom-fault.ts';
import type { SbomLimits } from './sbom-limits.ts';
import type { TarBody, TarEntry } from './tar-reader.ts';

/** What one layer does to the image below it; plain data, so that it can be kept and applied again. */
export interface LayerDelta {
  /** Paths that lose whatever lower layers put at and below them. */
  readonly deletes: readonly string[];
  /** Paths that lose only what lies below them (opaque directories). */
  readonly opaques: readonly string[];
  readonly links: readonly (readonly [path: string, target: string])[];
  readonly files: readonly (readonly [path: string, facts: FileFacts])[];
  /** Archive members. */
  readonly entries: number;
  /** Bytes of the uncompressed archive. */
  readonly uncompressedBytes: number;
  /** Estimated bytes in memory. */
  readonly weight: number;
}

/** What {@link LayerScan} works with. */
export interface LayerScanOptions {
  /** Index of the layer from the bottom. */
  readonly layer: number;
  /** Digest of the layer, for errors. */
  readonly object: string;
  readonly index: RuleIndex;
  readonly limits: SbomLimits;
  /** Members and estimated bytes that lower layers took of their limits. */
  readonly used: { readonly entries: number; readonly weight: number };
}

const whiteoutPrefix = '.wh.';
const whiteoutMetaPrefix = '.wh..wh.';
const opaqueMarker = '.wh..wh..opq';
const nodeWeight = 150;

interface PendingRead {
  readonly path: string;
  readonly matches: readonly RuleMatch[];
  /** Of a file that was read before: where its content starts in the archive. It is read by these rules only. */
  readonly offset?: number;
}

/**
 * Applies one layer's members to the tree of the layers below, in the archive's order, as containerd unpacks them
 * (image-spec, layer.md: "Applying Changesets"). Whiteouts and opaque directories hide lower layers only, wherever
 * they stand in the archive.
 */
export class LayerScan {
  readonly #tree: FileTree;
  readonly #options: LayerScanOptions;
  readonly #scratch = new ScratchBuffer();
  readonly #deletes = new Set<string>();
  readonly #opaques = new Set<string>();
  /**
   * What has to be read when the layer is read once more, by the path of its content: hard links at wanted paths whose
   * content passed by under a name that nobody wanted, and files that a rule wants as a whole after all.
   */
  readonly #pending = new Map<string, PendingRead[]>();
  #entries = 0;
  #weight = 0;

  constructor(tree: FileTree, options: LayerScanOptions) {
    this.#tree = tree;
    this.#options = options;
  }

  /** Handles one member. Throws ERR_SBOM_LIMIT, ERR_SBOM_SYMLINK_LOOP. */
  readonly onEntry = (entry: TarEntry): TarBody | undefined => {
    this.#count();
    const path = this.#resolve(normaliseLayerPath(entry.name));
    if (path === '') return undefined;
    const { directory, base } = splitLayerPath(path);
    if (base.startsWith(whiteoutPrefix)) {
      this.#whiteout(directory, base);
      return undefined;
    }
    if (entry.type === 'directory') {
      if (this.#tree.clearNonDirectory(path, this.#options.layer)) this.#deletes.add(path);
      return undefined;
    }
    if (this.#tree.clear(path, this.#options.layer)) this.#deletes.add(path);
    this.#forget(path);
    if (entry.type === 'symlink') this.#symlink(path, entry.linkName);
    else if (entry.type === 'hardlink') this.#hardlink(path, entry);
    else if (entry.type === 'file') return this.#file(path, entry);
    return undefined;
  };

  /** True if something waits for content: the layer has to be read once more. */
  get hasPendingReads(): boolean {
    return this.#pending.size > 0;
  }

  /** Handles one member of the second reading, in which only what waits for content counts. */
  readonly onEntryAgain = (entry: TarEntry): TarBody | undefined => {
    if (entry.type !== 'file') return undefined;
    const target = this.#resolve(normaliseLayerPath(entry.name));
    const waiting = this.#pending.get(target);
    if (waiting === undefined) return undefined;
    const isMeant = ({ offset = entry.offset }: PendingRead): boolean => offset === entry.offset;
    const [reads, others] = [waiting.filter(isMeant), waiting.filter((read) => !isMeant(read))];
    if (others.length > 0) this.#pending.set(target, others);
    else this.#pending.delete(target);
    const bodies = reads.map((read) => this.#content(entry, read));
    return {
      write: (chunk) => {
        for (const body of bodies) body.write(chunk);
      },
      end: () => {
        for (const body of bodies) body.end();
      },
    };
  };

  /** What the layer did, once it has been read. */
  finish(uncompressedBytes: number): LayerDelta {
    this.#scratch.free();
    for (const link of [...this.#pending.values()].flat()) {
      this.#keep(link.path, gapsOf(link.matches, 'a hard link whose target is not in its layer'));
    }
    const own = [...this.#tree.entries()].filter(({ layer }) => layer === this.#options.layer);
    return {
      deletes: [...this.#deletes],
      opaques: [...this.#opaques],
      links: own.flatMap(({ path, link }) => (link === undefined ? [] : [[path, link] as const])),
      files: own.flatMap(({ path, facts }) => (facts === undefined ? [] : [[path, facts] as const])),
      entries: this.#entries,
      uncompressedBytes,
      weight: this.#weight,
    };
  }

  #count(): void {
    this.#entries += 1;
    const { limits, used, object } = this.#options;
    if (used.entries + this.#entries > limits.entries) {
      throw limitFault(`the image has more than ${limits.entries} files`, { object });
    }
  }

  #resolve(path: string): string {
    const resolved = this.#tree.resolveParent(path);
    if (resolved === undefined) throw symlinkLoopFault(path, { object: this.#options.object });
    return resolved;
  }

  #whiteout(directory: string, base: string): void {
    const { layer } = this.#options;
    if (base === opaqueMarker) {
      if (this.#tree.clearLowerContent(directory, layer)) this.#opaques.add(directory);
      return;
    }
    // Bookkeeping of AUFS, and names that would mean the directory itself: runtimes ignore them or refuse the layer.
    const hidden = base.slice(whiteoutPrefix.length);
    if (base.startsWith(whiteoutMetaPrefix) || hidden === '' || hidden === '.' || hidden === '..') return;
    const path = joinLayerPath(directory, hidden);
    if (this.#tree.clearLower(path, layer)) this.#deletes.add(path);
  }

  #symlink(path: string, target: string): void {
    this.#weigh(path, target.length);
    this.#tree.setLink(path, target, this.#options.layer);
  }

  #file(path: string, entry: TarEntry): TarBody | undefined {
    const { index } = this.#options;
    const file = { path, size: entry.size, mode: entry.mode };
    const matches = index.byPath(file);
    if (entry.sparse) {
      if (matches.length > 0) this.#keep(path, gapsOf(matches, 'stored as a sparse file'));
      return undefined;
    }
    return matches.length > 0 || index.readsMagic(entry.size)
      ? this.#content(entry, { path, matches })
      : undefined;
  }

  #content(entry: TarEntry, { path, matches, offset }: PendingRead): FileContent {
    const file: FileStat = { path, size: entry.size, mode: entry.mode };
    const options: FileContentOptions = {
      index: this.#options.index,
      scratch: this.#scratch,
      isAgain: offset !== undefined,
      onFacts: (facts) => {
        this.#keep(path, facts);
      },
      onReadWhole: (again) => {
        this.#wait(path, { path, matches: again, offset: entry.offset });
      },
    };
    return new FileContent(file, matches, options);
  }

  /** A hard link shares its target's facts; what its own path makes interesting is read from the content later. */
  #hardlink(path: string, entry: TarEntry): void {
    const target = this.#resolve(normaliseLayerPath(entry.linkName));
    const known = this.#tree.find(target)?.facts ?? {};
    const matches = this.#options.index.byPath({ path, size: 0, mode: entry.mode });
    const missing = matches.filter(({ cataloguer, rule }) => known[cataloguer]?.rule !== rule);
    if (Object.keys(known).length > 0) this.#keep(path, Object.entries(known));
    if (missing.length === 0) return;
    this.#wait(target, { path, matches: missing });
  }

  /** Has the file at `target` read when the layer is read once more. */
  #wait(target: string, read: PendingRead): void {
    const reads = this.#pending.get(target) ?? [];
    reads.push(read);
    this.#weigh(read.path, 0);
    this.#pending.set(target, reads);
  }

  /** What replaces a file in its own layer leaves nothing of it to be read again. */
  #forget(path: string): void {
    const waiting = this.#pending.get(path)?.filter(({ offset }) => offset === undefined);
    if (waiting === undefined) return;
    if (waiting.length > 0) this.#pending.set(path, waiting);
    else this.#pending.delete(path);
  }

  #keep(path: string, facts: readonly (readonly [RuleMatch | string, FileFact])[]): void {
    if (facts.length === 0) return;
    const known = this.#tree.find(path)?.facts;
    const added = facts.map(
      ([match, fact]) => [typeof match === 'string' ? match : match.cataloguer, fact] as const,
    );
    this.#weigh(path, JSON.stringify(added).length);
    for (const above of this.#tree.clearFilesAbove(path, this.#options.layer)) this.#deletes.add(above);
    this.#tree.setFacts(path, { ...known, ...Object.fromEntries(added) }, this.#options.layer);
  }

  #weigh(path: string, bytes: number): void {
    this.#weight += bytes + path.length + nodeWeight * path.split('/').length;
    const { limits, used, object } = this.#options;
    if (used.weight + this.#weight > limits.factBytes) {
      throw limitFault(`what its packages say of themselves exceeds ${limits.factBytes} bytes`, { object });
    }
  }
}

function gapsOf(matches: readonly RuleMatch[], gap: string): (readonly [RuleMatch, FileFact])[] {
  return matches.map((match) => [match, { rule: match.rule, gap }] as const);
}
