/** What the next field of a frame is (RFC 8878, section 3). */
type Field = 'magic' | 'skippable-size' | 'descriptor' | 'block' | 'unknown';

const fieldBytes: Readonly<Record<Field, number>> = {
  magic: 4,
  'skippable-size': 4,
  descriptor: 1,
  block: 3,
  unknown: Infinity,
};
const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;
const dictionaryBytes = [0, 1, 2, 4];
const contentSizeBytes = [0, 2, 4, 8];
const checksumBytes = 4;
const rleBlock = 1;

/** True if the first four bytes of a stream, little-endian, start a zstd frame or a skippable one in front of it. */
export function isZstdMagic(value: number): boolean {
  return value === frameMagic || value >>> 4 === skippableMagic >>> 4;
}

/**
 * Cuts a zstd stream at the ends of its frames. Node's decompressor takes a frame's end inside a write for the end of
 * the stream; with writes that end where frames end it reads on, as zstd:chunked layers need (a frame for each file).
 */
export class ZstdFrames {
  #field: Field = 'magic';
  #value = 0;
  #got = 0;
  /** Bytes to pass over before the next field, or before the frame's end. */
  #skip = 0;
  #endsFrame = false;
  #hasChecksum = false;

  /** The same bytes in one or more pieces, none of which reaches over the end of a frame. */
  *split(chunk: Buffer): Generator<Buffer> {
    let start = 0;
    let at = 0;
    while (at < chunk.length) {
      const passed = Math.min(this.#skip, chunk.length - at);
      this.#skip -= passed;
      at += passed;
      if (this.#skip === 0 && !this.#endsFrame && at < chunk.length) this.#take(chunk[at++] ?? 0);
      if (this.#skip === 0 && this.#endsFrame) {
        this.#endsFrame = false;
        yield chunk.subarray(start, at);
        start = at;
      }
    }
    if (start < chunk.length) yield chunk.subarray(start);
  }

  #take(byte: number): void {
    if (this.#field === 'unknown') {
      this.#skip = Infinity;
      return;
    }
    this.#value += byte * 2 ** (8 * this.#got);
    this.#got += 1;
    if (this.#got < fieldBytes[this.#field]) return;
    const value = this.#value;
    this.#value = this.#got = 0;
    this.#finish(value);
  }

  #finish(value: number): void {
    switch (this.#field) {
      case 'magic':
        this.#field = value === frameMagic ? 'descriptor' : isZstdMagic(value) ? 'skippable-size' : 'unknown';
        break;
      case 'skippable-size':
        this.#endFrame(value);
        break;
      case 'descriptor':
        this.#startBlocks(value);
        break;
      case 'block':
        this.#passBlock(value);
        break;
      case 'unknown':
        break;
    }
  }

  #startBlocks(descriptor: number): void {
    const isSingleSegment = (descriptor & 0x20) !== 0;
    const sizeFlag = descriptor >> 6;
    const sizeBytes = sizeFlag === 0 && isSingleSegment ? 1 : (contentSizeBytes[sizeFlag] ?? 0);
    this.#hasChecksum = (descriptor & 0x04) !== 0;
    this.#skip = (isSingleSegment ? 0 : 1) + (dictionaryBytes[descriptor & 0x03] ?? 0) + sizeBytes;
    this.#field = 'block';
  }

  #passBlock(header: number): void {
    const content = ((header >> 1) & 0x03) === rleBlock ? 1 : header >> 3;
    if ((header & 1) === 0) this.#skip = content;
    else this.#endFrame(content + (this.#hasChecksum ? checksumBytes : 0));
  }

  #endFrame(bytesLeft: number): void {
    this.#skip = bytesLeft;
    this.#endsFrame = true;
    this.#field = 'magic';
  }
}
