import { freeWhole } from '../../decompression.ts';
import { unpack } from './zip-archive.ts';

/** What to do with the entries of an archive that passes by. */
export interface ZipVisitor {
  /** Most bytes of this entry's content that are worth having; undefined: skip it. */
  wanted(name: string): number | undefined;
  /** A wanted entry's uncompressed content, valid during the call only. */
  visit(name: string, content: Buffer): void;
  /** A wanted entry that is too large, damaged, or compressed in an unknown way. */
  miss(name: string, error: unknown): void;
}

interface Entry {
  readonly name: string;
  readonly method: number;
  /** Of its data; undefined: told only behind them, by a descriptor. */
  readonly dataSize: number | undefined;
  /** Uncompressed, by the header. */
  readonly size: number;
  readonly maxBytes: number | undefined;
}

const localSignature = 0x04034b50;
const centralSignature = 0x02014b50;
const localBytes = 30;
const unset32 = 0xffffffff;
const hasDescriptor = 8;
const descriptorMark = Buffer.from('PK\x07\x08', 'latin1');
/** Signature, checksum and two sizes of 8 bytes, and the signature that follows. */
const descriptorBytes = 28;
/** Programs that carry an archive behind them begin with a script or loader of a few KiB. */
const maxPrefixBytes = 1024 * 1024;

/**
 * Reads a zip archive that is too large to keep, entry after entry as their local headers stand (APPNOTE 4.3.7). Of
 * memory it takes one wanted entry. `push` throws on a damaged archive.
 */
export class ZipStream {
  readonly #visitor: ZipVisitor;
  #pending: Buffer = Buffer.alloc(0);
  #entry: Entry | undefined;
  /** Bytes of the current entry's data that have passed. */
  #passed = 0;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #isDone = false;
  #skipped = 0;
  #isStarted = false;

  constructor(visitor: ZipVisitor) {
    this.#visitor = visitor;
  }

  push(chunk: Uint8Array): void {
    if (this.#isDone) return;
    const isAlone = this.#pending.length === 0;
    this.#pending = isAlone
      ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      : Buffer.concat([this.#pending, chunk]);
    let isMoving = true;
    while (isMoving) isMoving = this.#step();
    if (isAlone) this.#pending = Buffer.from(this.#pending);
  }

  /** True if these bytes hold an archive at all. Throws if it broke off. */
  end(): boolean {
    if (this.#isStarted && !this.#isDone) throw new Error('zip archive is cut off');
    return this.#isStarted;
  }

  /** One step; false if more bytes are needed. */
  #step(): boolean {
    if (this.#entry === undefined) return this.#isStarted ? this.#readHeader() : this.#skipPrefix();
    return this.#entry.dataSize === undefined ? this.#findDescriptor() : this.#takeData(this.#entry.dataSize);
  }

  #skipPrefix(): boolean {
    const at = this.#pending.indexOf('PK\x03\x04', 0, 'latin1');
    if (at >= 0) {
      this.#consume(at);
      this.#isStarted = true;
      return true;
    }
    this.#skipped += Math.max(0, this.#pending.length - 3);
    if (this.#skipped > maxPrefixBytes) this.#isDone = true;
    this.#consume(Math.max(0, this.#pending.length - 3));
    return false;
  }

  #readHeader(): boolean {
    const bytes = this.#pending;
    if (bytes.length < 4) return false;
    const signature = bytes.readUInt32LE(0);
    if (signature !== localSignature) {
      if (signature !== centralSignature) throw new Error('damaged zip archive');
      this.#isDone = true;
      return false;
    }
    if (bytes.length < localBytes) return false;
    const nameEnd = localBytes + bytes.readUInt16LE(26);
    const end = nameEnd + bytes.readUInt16LE(28);
    if (bytes.length < end) return false;
    const name = bytes.toString('utf8', localBytes, nameEnd);
    this.#entry = {
      name,
      method: bytes.readUInt16LE(8),
      dataSize: dataSizeIn(bytes, nameEnd, end),
      size: bytes.readUInt32LE(22),
      maxBytes: this.#visitor.wanted(name),
    };
    this.#consume(end);
    return true;
  }

  #takeData(size: number): boolean {
    const part = this.#pending.subarray(0, size - this.#passed);
    this.#keep(part);
    this.#consume(part.length);
    if (this.#passed < size) return false;
    this.#finish();
    return true;
  }

  /** The end of data of unknown size: a descriptor that tells just the size that has passed, and an entry behind it. */
  #findDescriptor(): boolean {
    const bytes = this.#pending;
    let at = bytes.indexOf(descriptorMark);
    while (at >= 0 && at + descriptorBytes <= bytes.length) {
      const length = descriptorLength(bytes, at, this.#passed + at);
      if (length !== undefined) {
        this.#keep(bytes.subarray(0, at));
        this.#consume(at + length);
        this.#finish();
        return true;
      }
      at = bytes.indexOf(descriptorMark, at + 1);
    }
    const sure = Math.max(0, at >= 0 ? at : bytes.length - descriptorMark.length + 1);
    this.#keep(bytes.subarray(0, sure));
    this.#consume(sure);
    return false;
  }

  #keep(data: Buffer): void {
    this.#passed += data.length;
    const maxBytes = this.#entry?.maxBytes;
    if (maxBytes === undefined || data.length === 0) return;
    this.#keptBytes += data.length;
    if (this.#keptBytes <= maxBytes) this.#kept.push(Buffer.from(data));
    else this.#kept = [];
  }

  #finish(): void {
    const entry = this.#entry;
    const [first = Buffer.alloc(0), ...others] = this.#kept;
    const isWhole = this.#keptBytes === this.#passed;
    const isKept = entry?.maxBytes !== undefined && this.#keptBytes <= entry.maxBytes && isWhole;
    this.#entry = undefined;
    this.#kept = [];
    this.#keptBytes = 0;
    this.#passed = 0;
    if (entry?.maxBytes === undefined) return;
    try {
      if (!isKept) throw new Error(`${entry.name} is larger than ${entry.maxBytes} bytes`);
      const data = others.length === 0 ? first : joined([first, ...others]);
      this.#visitor.visit(entry.name, unpack(entry, data, entry.maxBytes));
      freeWhole(data);
    } catch (error) {
      this.#visitor.miss(entry.name, error);
    }
  }

  #consume(bytes: number): void {
    this.#pending = this.#pending.subarray(bytes);
  }
}

/** The parts as one, which are freed. */
function joined(parts: readonly Buffer[]): Buffer {
  const whole = Buffer.concat(parts);
  for (const part of parts) freeWhole(part);
  return whole;
}

/** Size of the data behind a local header; a ZIP64 field holds it where 32 bits do not. */
function dataSizeIn(bytes: Buffer, extraStart: number, extraEnd: number): number | undefined {
  const flags = bytes.readUInt16LE(6);
  const size = bytes.readUInt32LE(18);
  if ((flags & hasDescriptor) !== 0 && (size === 0 || size === unset32)) return undefined;
  if (size !== unset32) return size;
  for (let at = extraStart; at + 4 <= extraEnd; at += 4 + bytes.readUInt16LE(at + 2)) {
    if (bytes.readUInt16LE(at) === 1 && at + 20 <= extraEnd) return Number(bytes.readBigUInt64LE(at + 12));
  }
  throw new Error('damaged zip64 header');
}

/** Length of the descriptor at `at`, if it is one for `size` bytes of data and an entry or the directory follows. */
function descriptorLength(bytes: Buffer, at: number, size: number): number | undefined {
  if (bytes.readUInt32LE(at + 8) === size && isSignature(bytes, at + 16)) return 16;
  if (bytes.readBigUInt64LE(at + 8) === BigInt(size) && isSignature(bytes, at + 24)) return 24;
  return undefined;
}

function isSignature(bytes: Buffer, at: number): boolean {
  const signature = bytes.readUInt32LE(at);
  return signature === localSignature || signature === centralSignature;
}
