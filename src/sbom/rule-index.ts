import type { AnyCataloguer, FileRule, FileStat } from './cataloguer.ts';
import { splitLayerPath } from './layer-path.ts';

/** A rule of a cataloguer, numbered within it. */
export interface RuleMatch {
  readonly cataloguer: string;
  /** Index in the cataloguer's `rules`. */
  readonly rule: number;
  readonly reader: FileRule<unknown>;
}

const elfMagic = 0x7f454c46;
const minElfBytes = 64;

/** Finds the rules that want a file; made once for a set of cataloguers, so that files nobody wants cost two look-ups. */
export class RuleIndex {
  readonly #names = new Map<string, RuleMatch[]>();
  readonly #extensions = new Map<string, RuleMatch[]>();
  readonly #parents = new Map<string, RuleMatch[]>();
  readonly #elf: RuleMatch[] = [];

  constructor(cataloguers: readonly AnyCataloguer[]) {
    for (const { name: cataloguer, rules } of cataloguers) {
      for (const [rule, reader] of rules.entries()) this.#add({ cataloguer, rule, reader });
    }
  }

  #add(match: RuleMatch): void {
    const { names = [], extensions = [], parents = [], magic = [] } = match.reader.select;
    for (const name of names) append(this.#names, name, match);
    for (const extension of extensions) append(this.#extensions, extension, match);
    for (const parent of parents) append(this.#parents, parent, match);
    if (magic.includes('elf')) this.#elf.push(match);
  }

  /** Rules that want the file for its path, one for each cataloguer. */
  byPath(file: FileStat): readonly RuleMatch[] {
    const { directory, base } = splitLayerPath(file.path);
    const dot = base.lastIndexOf('.');
    const candidates = [
      this.#names.get(base),
      dot < 0 ? undefined : this.#extensions.get(base.slice(dot).toLowerCase()),
      this.#parents.size === 0 ? undefined : this.#parents.get(splitLayerPath(directory).base),
    ];
    let matches: RuleMatch[] | undefined;
    for (const list of candidates) {
      if (list !== undefined) matches = accepted(list, file, matches ?? []);
    }
    return matches ?? [];
  }

  /** True if a file of this size has to be looked at for its first bytes. */
  readsMagic(size: number): boolean {
    return this.#elf.length > 0 && size >= minElfBytes;
  }

  /** Rules that want the file for its first bytes, for cataloguers that are not in `taken`. */
  byMagic(file: FileStat, start: Buffer, taken: readonly RuleMatch[]): readonly RuleMatch[] {
    if (start.length < minElfBytes || start.readUInt32BE(0) !== elfMagic) return [];
    return accepted(this.#elf, file, [...taken]).slice(taken.length);
  }
}

function append(index: Map<string, RuleMatch[]>, key: string, match: RuleMatch): void {
  const list = index.get(key);
  if (list === undefined) index.set(key, [match]);
  else list.push(match);
}

function accepted(candidates: readonly RuleMatch[], file: FileStat, matches: RuleMatch[]): RuleMatch[] {
  for (const candidate of candidates) {
    if (matches.some(({ cataloguer }) => cataloguer === candidate.cataloguer)) continue;
    const { select } = candidate.reader;
    if (select.accept?.(file) ?? true) matches.push(candidate);
  }
  return matches;
}
