/** Programs up to this many bytes are held in memory and read as a whole; larger ones only if their end calls for it. */
export const heldElfBytes = 8 * 1024 * 1024;

/** The names of its sections stand at the very end of a file, before or behind the table that refers to them. */
const tailBytes = 64 * 1024;

/** The end of a program that passes by, where the names of its sections stand. */
export class ElfTail {
  // One buffer for all of a program: copies of every piece would keep the garbage collector busy.
  readonly #bytes = Buffer.alloc(tailBytes);

  write(chunk: Uint8Array): void {
    const last = chunk.subarray(Math.max(0, chunk.length - tailBytes));
    this.#bytes.copyWithin(0, last.length);
    this.#bytes.set(last, tailBytes - last.length);
  }

  /** True if a section may have this name; false is sure. */
  mayName(section: string): boolean {
    return this.#bytes.includes(section);
  }
}
