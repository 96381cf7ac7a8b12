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
    at += Math.ceil(content.length / 16) * 16;
    return offset;
  });
}

/** An ELF program with one writable segment over the whole file (System V ABI, chapter 4), made without the reader under test. */
export function elf(parts: readonly ElfPart[], layout: ElfLayout = {}): Buffer {
  const { is64 = true, isBigEndian = false, hasSections = true, notes } = layout;
  const offsets = offsetsOf(parts);
  const names = Buffer.from(`\0${parts.map(({ name }) => `${name}\0`).join('')}.shstrtab\0`, 'latin1');
  const last = parts.at(-1);
  const namesAt = (offsets.at(-1) ?? dataOffset) + Math.ceil((last?.content.length ?? 0) / 16) * 16;
  const notesAt = namesAt + Math.ceil(names.length / 16) * 16;
  const headersAt = notesAt + Math.ceil((notes?.length ?? 0) / 16) * 16;
  const headerBytes = is64 ? 64 : 40;
  const file = Buffer.alloc(headersAt + (parts.length + 2) * headerBytes);
  const half = (value: number, at: number) => (isBigEndian ? file.writeUInt16BE(value, at) : file.writeUInt16LE(value, at));
  const long = (value: number, at: number) => (isBigEndian ? file.writeUInt32BE(value, at) : file.writeUInt32LE(value, at));
  const word = (value: number, at: number): void => {
    if (!is64) long(value, at);
    else if (isBigEndian) file.writeBigUInt64BE(BigInt(value), at);
    else file.writeBigUInt64LE(BigInt(value), at);
  };
  file.set([0x7f, 0x45, 0x4c, 0x46, is64 ? 2 : 1, isBigEndian ? 2 : 1, 1]);
  word(is64 ? 64 : 52, is64 ? 32 : 28);
  half(is64 ? 56 : 32, is64 ? 54 : 42);
  half(notes === undefined ? 1 : 2, is64 ? 56 : 44);
  if (hasSections) {
    word(headersAt, is64 ? 40 : 32);
    half(headerBytes, is64 ? 58 : 46);
    half(parts.length + 2, is64 ? 60 : 48);
    half(parts.length + 1, is64 ? 62 : 50);
  }
  const segment = (index: number, type: number, offset: number, size: number): void => {
    const at = (is64 ? 64 : 52) + index * (is64 ? 56 : 32);
    long(type, at);
    long(6, at + (is64 ? 4 : 24));
    word(offset, at + (is64 ? 8 : 4));
    word(baseAddress + offset, at + (is64 ? 16 : 8));
    word(size, at + (is64 ? 32 : 16));
  };
  segment(0, 1, 0, file.length);
  if (notes !== undefined) segment(1, 4, notesAt, notes.length);
  notes?.copy(file, notesAt);
  names.copy(file, namesAt);
  const section = (index: number, nameAt: number, offset: number, size: number): void => {
    const at = headersAt + index * headerBytes;
    long(nameAt, at);
    long(1, at + 4);
    word(baseAddress + offset, at + (is64 ? 16 : 12));
    word(offset, at + (is64 ? 24 : 16));
    word(size, at + (is64 ? 32 : 20));
  };
  parts.forEach(({ name, content }, index) => {
    content.copy(file, offsets[index]);
    section(index + 1, names.indexOf(`\0${name}\0`) + 1, offsets[index] ?? 0, content.length);
  });
  section(parts.length + 1, names.indexOf('\0.shstrtab\0') + 1, namesAt, names.length);
  return file;
}
