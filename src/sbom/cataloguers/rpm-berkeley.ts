/** Berkeley DB's hash access method (`db_page.h`, versions 8 to 10). */
const hashMagic = 0x00061561;
const pageType = { hashUnsorted: 2, overflow: 7, hash: 13 } as const;
const itemType = { keyData: 1, offPage: 3 } as const;
const pageHeaderBytes = 26;
/** A header blob is longer than its preamble; the record of key 0 is a counter. */
const minBlobBytes = 16;

interface Database {
  readonly content: Buffer;
  readonly pageBytes: number;
  readonly pages: number;
  readonly u16: (at: number) => number;
  readonly u32: (at: number) => number;
}

/**
 * The values of a Berkeley DB hash file, `Packages` of RHEL up to 8, CentOS and Amazon Linux 2, in either byte order:
 * those inside hash pages and those in chains of overflow pages. Throws RangeError on a damaged file.
 */
export function* readBerkeleyValues(content: Buffer): Generator<Buffer> {
  const database = openDatabase(content);
  /** Bytes that chains may take in all: a page belongs to one value, so that loops cannot multiply the file. */
  let budget = content.length;
  for (let page = 1; page < database.pages; page += 1) {
    for (const value of valuesOfPage(database, page * database.pageBytes)) {
      budget -= value.length;
      if (budget < 0) throw new RangeError('pages of the Berkeley DB are used twice');
      if (value.length >= minBlobBytes) yield value;
    }
  }
}

function openDatabase(content: Buffer): Database {
  if (content.length < 512) throw new RangeError('the Berkeley DB is cut');
  const little = content.readUInt32LE(12) === hashMagic;
  if (!little && content.readUInt32BE(12) !== hashMagic) throw new RangeError('no Berkeley DB hash file');
  const u16 = (at: number): number => (little ? content.readUInt16LE(at) : content.readUInt16BE(at));
  const u32 = (at: number): number => (little ? content.readUInt32LE(at) : content.readUInt32BE(at));
  const pageBytes = u32(20);
  if (pageBytes < 512 || pageBytes > 65_536 || (pageBytes & (pageBytes - 1)) !== 0) {
    throw new RangeError('the Berkeley DB has an impossible page size');
  }
  if (content.readUInt8(24) !== 0) throw new RangeError('the Berkeley DB is encrypted');
  return { content, pageBytes, pages: Math.floor(content.length / pageBytes), u16, u32 };
}

/** A page starts with its number, neighbours, count of items, free offset and type; items are keys and values in turn. */
function* valuesOfPage(database: Database, start: number): Generator<Buffer> {
  const { content, pageBytes, u16, u32 } = database;
  const type = content.readUInt8(start + 25);
  if (type !== pageType.hash && type !== pageType.hashUnsorted) return;
  const count = u16(start + 20);
  if (pageHeaderBytes + count * 2 > pageBytes) throw new RangeError('a page of the Berkeley DB is damaged');
  for (let item = 1; item < count; item += 2) {
    const offset = u16(start + pageHeaderBytes + item * 2);
    const end = u16(start + pageHeaderBytes + (item - 1) * 2);
    if (offset < pageHeaderBytes || end > pageBytes || offset >= end) {
      throw new RangeError('a page of the Berkeley DB is damaged');
    }
    const at = start + offset;
    const kind = content.readUInt8(at);
    if (kind === itemType.keyData) yield content.subarray(at + 1, start + end);
    else if (kind === itemType.offPage && offset + 12 <= pageBytes)
      yield readChain(database, u32(at + 4), u32(at + 8));
  }
}

/** A value of `length` bytes in a chain of overflow pages. */
function readChain({ content, pageBytes, pages, u16, u32 }: Database, first: number, length: number): Buffer {
  if (length > content.length) throw new RangeError('a record of the Berkeley DB is longer than the file');
  const value = Buffer.alloc(length);
  let filled = 0;
  for (let page = first; page !== 0 && filled < length;) {
    const start = page * pageBytes;
    if (page >= pages || content.readUInt8(start + 25) !== pageType.overflow) {
      throw new RangeError('a chain of the Berkeley DB is broken');
    }
    const used = Math.min(u16(start + 22), pageBytes - pageHeaderBytes);
    if (used === 0) break;
    filled += content.copy(value, filled, start + pageHeaderBytes, start + pageHeaderBytes + used);
    page = u32(start + 16);
  }
  if (filled < length) throw new RangeError('a record of the Berkeley DB is cut');
  return value;
}
