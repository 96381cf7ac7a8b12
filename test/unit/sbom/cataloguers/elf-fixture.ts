/** A section of a made-up program; `address` 0 keeps it out of the loaded segment. */
export interface ElfPart {
  readonly name: string;
  readonly content: Buffer;
}

/** How the program is laid out. */
export interface ElfLayout {
  readonly is64?: boolean;
  readonly isBigEndian?: boolean;
  /** False: no section headers, as `sstrip` leaves it. */
  readonly hasSections?: boolean;
  /** Content of a note segment. */
  readonly notes?: Buffer;
}

/** Virtual address of the first byte of the file. */
export const baseAddress = 0x400000;
const dataOffset = 0x1000;

/** Offset in the file, and by {@link baseAddress} the address, of each part. */
export function offsetsOf(parts: readonly ElfPart[]): number[] {
  let at = dataOffset;
  return parts.map(({ content }) => {
    const offset = at;
    at += aligned(content.length);
    return offset;
  });
}

/** Writes numbers of a class and byte order into a file. */
class Writer {
  readonly file: Buffer;
  readonly #is64: boolean;
  readonly #isBigEndian: boolean;

  constructor(bytes: number, is64: boolean, isBigEndian: boolean) {
    this.file = Buffer.alloc(bytes);
    this.#is64 = is64;
    this.#isBigEndian = isBigEndian;
  }

  /** Picks the value for this class: offsets differ between 64 and 32 bit. */
  either(for64: number, for32: number): number {
    return this.#is64 ? for64 : for32;
  }

  half(value: number, at: number): void {
    if (this.#isBigEndian) this.file.writeUInt16BE(value, at);
    else this.file.writeUInt16LE(value, at);
  }

  long(value: number, at: number): void {
    if (this.#isBigEndian) this.file.writeUInt32BE(value, at);
    else this.file.writeUInt32LE(value, at);
  }

  word(value: number, at: number): void {
    if (!this.#is64) this.long(value, at);
    else if (this.#isBigEndian) this.file.writeBigUInt64BE(BigInt(value), at);
    else this.file.writeBigUInt64LE(BigInt(value), at);
  }

  segment(at: number, type: number, offset: number, size: number): void {
    this.long(type, at);
    this.long(6, at + this.either(4, 24));
    this.word(offset, at + this.either(8, 4));
    this.word(baseAddress + offset, at + this.either(16, 8));
    this.word(size, at + this.either(32, 16));
  }

  section(at: number, nameAt: number, offset: number, size: number): void {
    this.long(nameAt, at);
    this.long(1, at + 4);
    this.word(baseAddress + offset, at + this.either(16, 12));
    this.word(offset, at + this.either(24, 16));
    this.word(size, at + this.either(32, 20));
  }
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / 16) * 16;
}

const plain: Required<ElfLayout> = {
  is64: true,
  isBigEndian: false,
  hasSections: true,
  notes: Buffer.alloc(0),
};

/**
 * An ELF program with one writable segment over the whole file (System V ABI, chapter 4), made without the reader
 * under test.
 */
export function elf(parts: readonly ElfPart[], layout: ElfLayout = {}): Buffer {
  const { is64, isBigEndian, hasSections, notes } = { ...plain, ...layout };
  const names = Buffer.from(`\0${parts.map(({ name }) => `${name}\0`).join('')}.shstrtab\0`, 'latin1');
  const all = [...parts, { name: '.shstrtab', content: names }];
  const offsets = offsetsOf([...all, { name: '', content: notes }, { name: '', content: Buffer.alloc(0) }]);
  const [notesAt = 0, headersAt = 0] = offsets.slice(-2);
  const writer = new Writer(headersAt + (all.length + 1) * 64, is64, isBigEndian);
  const headerBytes = writer.either(64, 40);
  const { file } = writer;
  file.set([0x7f, 0x45, 0x4c, 0x46, writer.either(2, 1), Number(isBigEndian) + 1, 1]);
  const segmentsAt = writer.either(64, 52);
  writer.word(segmentsAt, writer.either(32, 28));
  writer.half(writer.either(56, 32), writer.either(54, 42));
  writer.half(2, writer.either(56, 44));
  writer.segment(segmentsAt, 1, 0, file.length);
  writer.segment(segmentsAt + writer.either(56, 32), 4, notesAt, notes.length);
  notes.copy(file, notesAt);
  if (hasSections) {
    writer.word(headersAt, writer.either(40, 32));
    writer.half(headerBytes, writer.either(58, 46));
    writer.half(all.length + 1, writer.either(60, 48));
    writer.half(all.length, writer.either(62, 50));
  }
  for (const [index, { name, content }] of all.entries()) {
    const offset = offsets[index] ?? 0;
    content.copy(file, offset);
    writer.section(
      headersAt + (index + 1) * headerBytes,
      names.indexOf(`\0${name}\0`) + 1,
      offset,
      content.length,
    );
  }
  return file;
}
