/** A section of an ELF file; its content is a view of the file's bytes. */
export interface ElfSection {
  readonly name: string;
  /** Virtual address. */
  readonly address: number;
  readonly content: Buffer;
}

/** A loadable segment: which virtual addresses the file's bytes at `offset` have. */
export interface ElfSegment {
  readonly type: number;
  readonly isWritable: boolean;
  readonly offset: number;
  readonly address: number;
  readonly fileBytes: number;
}

/** One entry of a note section or segment. */
export interface ElfNote {
  readonly owner: string;
  readonly type: number;
  readonly content: Buffer;
}

const magic = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);
const segmentLoad = 1;
const segmentNote = 4;
const sectionNoBits = 8;
/** Real files have below a hundred sections; linkers for separate functions make tens of thousands in objects. */
const maxTable = 65_536;

/**
 * An ELF file in memory: 32 or 64 bit, either byte order (System V ABI, chapter 4). Tables that lie outside the file
 * count as absent, since stripped and packed programs have such.
 */
export class ElfFile {
  readonly is64: boolean;
  readonly isBigEndian: boolean;
  readonly #bytes: Buffer;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.is64 = bytes[4] === 2;
    this.isBigEndian = bytes[5] === 2;
  }

  /** Opens an ELF file; undefined if these bytes are none. */
  static open(content: Uint8Array): ElfFile | undefined {
    const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
    if (bytes.length < 64 || !bytes.subarray(0, 4).equals(magic)) return undefined;
    return new ElfFile(bytes);
  }

  /** The section of this name. */
  section(name: string): ElfSection | undefined {
    const header = this.#sectionHeaders();
    const names = header.names;
    for (let index = 0; index < header.count; index += 1) {
      const section = this.#readSection(header.offset + index * header.entrySize);
      if (section !== undefined && cString(names, section.nameOffset) === name) {
        return { name, address: section.address, content: section.content };
      }
    }
    return undefined;
  }

  /** The program headers. */
  segments(): ElfSegment[] {
    const offset = this.#word(this.is64 ? 32 : 28);
    const entrySize = this.#half(this.is64 ? 54 : 42);
    const count = this.#half(this.is64 ? 56 : 44);
    const segments: ElfSegment[] = [];
    for (let index = 0; index < count; index += 1) {
      const at = offset + index * entrySize;
      if (entrySize < (this.is64 ? 56 : 32) || at + entrySize > this.#bytes.length) break;
      segments.push(this.#readSegment(at));
    }
    return segments;
  }

  /** The loadable segments among the program headers. */
  loadSegments(): ElfSegment[] {
    return this.segments().filter(({ type }) => type === segmentLoad);
  }

  /** All notes of the note segments. */
  notes(): ElfNote[] {
    return this.segments()
      .filter(({ type }) => type === segmentNote)
      .flatMap(({ offset, fileBytes }) => this.#readNotes(this.#bytes.subarray(offset, offset + fileBytes)));
  }

  /** Bytes at a virtual address, as many as the file has of `length`. */
  atAddress(address: number, length: number): Buffer {
    for (const segment of this.loadSegments()) {
      const inside = address - segment.address;
      if (inside < 0 || inside >= segment.fileBytes) continue;
      const start = segment.offset + inside;
      return this.#bytes.subarray(start, Math.min(start + length, segment.offset + segment.fileBytes));
    }
    return Buffer.alloc(0);
  }

  /** A pointer-sized number in `bytes` at `at`, in this file's byte order. */
  pointer(bytes: Buffer, at: number, pointerBytes = this.is64 ? 8 : 4): number {
    if (pointerBytes === 4) return this.isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
    return Number(this.isBigEndian ? bytes.readBigUInt64BE(at) : bytes.readBigUInt64LE(at));
  }

  #sectionHeaders() {
    const offset = this.#word(this.is64 ? 40 : 32);
    const entrySize = this.#half(this.is64 ? 58 : 46);
    const count = Math.min(this.#half(this.is64 ? 60 : 48), maxTable);
    const namesIndex = this.#half(this.is64 ? 62 : 50);
    const absent = { offset: 0, entrySize: 0, count: 0, names: Buffer.alloc(0) };
    if (offset === 0 || entrySize < (this.is64 ? 64 : 40)) return absent;
    if (offset + count * entrySize > this.#bytes.length) return absent;
    const names = this.#readSection(offset + namesIndex * entrySize)?.content ?? Buffer.alloc(0);
    return { offset, entrySize, count, names };
  }

  #readSection(at: number) {
    if (at + (this.is64 ? 64 : 40) > this.#bytes.length) return undefined;
    const offset = this.#word(at + (this.is64 ? 24 : 16));
    const size = this.#word(at + (this.is64 ? 32 : 20));
    const hasBytes = this.#long(at + 4) !== sectionNoBits;
    return {
      nameOffset: this.#long(at),
      address: this.#word(at + (this.is64 ? 16 : 12)),
      content: hasBytes ? this.#bytes.subarray(offset, offset + size) : Buffer.alloc(0),
    };
  }

  #readSegment(at: number): ElfSegment {
    const flags = this.#long(at + (this.is64 ? 4 : 24));
    return {
      type: this.#long(at),
      isWritable: (flags & 2) !== 0,
      offset: this.#word(at + (this.is64 ? 8 : 4)),
      address: this.#word(at + (this.is64 ? 16 : 8)),
      fileBytes: this.#word(at + (this.is64 ? 32 : 16)),
    };
  }

  #readNotes(bytes: Buffer): ElfNote[] {
    const notes: ElfNote[] = [];
    let at = 0;
    while (at + 12 <= bytes.length) {
      const ownerBytes = this.#longIn(bytes, at);
      const contentBytes = this.#longIn(bytes, at + 4);
      const content = at + 12 + align4(ownerBytes);
      if (content + contentBytes > bytes.length) break;
      notes.push({
        owner: cString(bytes.subarray(at + 12, at + 12 + ownerBytes), 0),
        type: this.#longIn(bytes, at + 8),
        content: bytes.subarray(content, content + contentBytes),
      });
      at = content + align4(contentBytes);
    }
    return notes;
  }

  #half(at: number): number {
    return this.isBigEndian ? this.#bytes.readUInt16BE(at) : this.#bytes.readUInt16LE(at);
  }

  #long(at: number): number {
    return this.#longIn(this.#bytes, at);
  }

  #longIn(bytes: Buffer, at: number): number {
    return this.isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
  }

  #word(at: number): number {
    return this.pointer(this.#bytes, at);
  }
}

function align4(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}

function cString(bytes: Buffer, at: number): string {
  const end = bytes.indexOf(0, at);
  return bytes.toString('latin1', at, end < 0 ? bytes.length : end);
}
