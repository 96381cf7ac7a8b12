/** The tags of an RPM header that are of use (rpm, `rpmtag.h`). */
const tags = {
  /** Of the header's unalterable part, in which the payload's digest stands. */
  sha1Header: 269,
  sha256Header: 273,
  name: 1000,
  version: 1001,
  release: 1002,
  epoch: 1003,
  vendor: 1011,
  licence: 1014,
  url: 1020,
  architecture: 1022,
  oldFileNames: 1027,
  sourceRpm: 1044,
  provides: 1047,
  requires: 1049,
  directoryIndexes: 1116,
  baseNames: 1117,
  directoryNames: 1118,
  modularity: 5096,
} as const;

const type = { int32: 4, string: 6, stringArray: 8, i18nString: 9 } as const;
const entryBytes = 16;
const preambleBytes = 8;
/** rpm's own bounds (`headerutil`): 64 Ki entries and 256 MiB of data. */
const maxEntries = 65_536;
const maxStrings = 1_000_000;

/** An RPM header, read. */
export interface RpmHeader {
  readonly name: string;
  readonly version: string;
  readonly release: string;
  readonly epoch?: number;
  readonly vendor?: string;
  readonly licence?: string;
  readonly url?: string;
  readonly architecture?: string;
  readonly sourceRpm?: string;
  readonly modularity?: string;
  /** Hex. */
  readonly sha1?: string;
  /** Hex. */
  readonly sha256?: string;
  readonly provides: readonly string[];
  readonly requires: readonly string[];
  /** Absolute paths of its files. */
  readonly files: readonly string[];
}

/**
 * Reads a header as the databases hold it: count of index entries and size of the data store, big-endian, then the
 * 16-byte entries (tag, type, offset, count) and the store. Throws RangeError on anything outside its own bounds.
 */
export function parseRpmHeader(blob: Buffer): RpmHeader {
  const store = new HeaderStore(blob);
  const text = (tag: number): string | undefined => store.strings(tag)[0];
  const name = text(tags.name);
  const version = text(tags.version);
  if (!name || version === undefined) throw new RangeError('an RPM header has no name or version');
  const epoch = store.integers(tags.epoch)[0];
  const optionalTexts = {
    vendor: text(tags.vendor),
    licence: text(tags.licence),
    url: text(tags.url),
    architecture: text(tags.architecture),
    sourceRpm: text(tags.sourceRpm),
    modularity: text(tags.modularity),
    sha1: text(tags.sha1Header),
    sha256: text(tags.sha256Header),
  };
  return {
    name,
    version,
    release: text(tags.release) ?? '',
    ...(epoch === undefined ? {} : { epoch }),
    ...Object.fromEntries(Object.entries(optionalTexts).filter(([, value]) => value && value !== '(none)')),
    provides: store.strings(tags.provides),
    requires: store.strings(tags.requires),
    files: filesOf(store),
  };
}

function filesOf(store: HeaderStore): readonly string[] {
  const directories = store.strings(tags.directoryNames);
  const indexes = store.integers(tags.directoryIndexes);
  const names = store.strings(tags.baseNames);
  if (names.length === 0) return store.strings(tags.oldFileNames);
  return names.map((name, at) => `${directories[indexes[at] ?? 0] ?? '/'}${name}`);
}

class HeaderStore {
  readonly #blob: Buffer;
  readonly #entries = new Map<
    number,
    { readonly type: number; readonly offset: number; readonly count: number }
  >();
  readonly #start: number;
  readonly #end: number;

  constructor(blob: Buffer) {
    if (blob.length < preambleBytes) throw new RangeError('an RPM header is cut');
    const count = blob.readUInt32BE(0);
    const storeBytes = blob.readUInt32BE(4);
    this.#blob = blob;
    this.#start = preambleBytes + count * entryBytes;
    this.#end = this.#start + storeBytes;
    if (count > maxEntries || this.#end > blob.length)
      throw new RangeError('an RPM header exceeds its record');
    for (let at = preambleBytes; at < this.#start; at += entryBytes) {
      const [tag, kind] = [blob.readUInt32BE(at), blob.readUInt32BE(at + 4)];
      this.#entries.set(tag, {
        type: kind,
        offset: blob.readUInt32BE(at + 8),
        count: blob.readUInt32BE(at + 12),
      });
    }
  }

  integers(tag: number): readonly number[] {
    const entry = this.#entries.get(tag);
    if (entry?.type !== type.int32) return [];
    const start = this.#start + entry.offset;
    if (entry.count > maxStrings || start + entry.count * 4 > this.#end) throw new RangeError(outside(tag));
    return Array.from({ length: entry.count }, (_, at) => this.#blob.readUInt32BE(start + at * 4));
  }

  strings(tag: number): readonly string[] {
    const entry = this.#entries.get(tag);
    if (entry === undefined) return [];
    const isOne = entry.type === type.string;
    if (!isOne && entry.type !== type.stringArray && entry.type !== type.i18nString) return [];
    const count = isOne ? 1 : entry.count;
    if (count > maxStrings) throw new RangeError(outside(tag));
    const found: string[] = [];
    let at = this.#start + entry.offset;
    while (found.length < count) {
      const zero = this.#blob.indexOf(0, at);
      if (zero < 0 || zero >= this.#end) throw new RangeError(outside(tag));
      found.push(this.#blob.toString('utf8', at, zero));
      at = zero + 1;
    }
    return found;
  }
}

function outside(tag: number): string {
  return `RPM header tag ${tag} lies outside its store`;
}
