import { readWhole } from '../cataloguer.ts';
import type { ContentDigests, FactStream } from '../cataloguer.ts';
import { goInfoMagic, readInlineInfo } from './go-build-info.ts';
import type { GoBuildInfo } from './go-build-info.ts';

/** No module list that was seen exceeds a few hundred KiB. */
const maxInfoBytes = 4 * 1024 * 1024;
/** Programs that read build information mention the magic once; more is made to keep us busy. */
const maxFalseStarts = 8;

/**
 * Finds the build information in a program too large to be kept in memory: by its magic, wherever it is. It stands
 * inline since Go 1.18; a program built by an older Go has to be read whole, and is a gap if it is too large for that.
 */
export class GoInfoSearch implements FactStream<{ info: GoBuildInfo; sha256?: string }> {
  /** Kept bytes: the last few, in case they begin the magic, or everything from the magic on. */
  #kept: Buffer[] = [];
  #keptBytes = 0;
  /** Size of what was kept at which the next look is worth while; undefined while the magic is searched. */
  #nextLook: number | undefined;
  #falseStarts = 0;
  #info: GoBuildInfo | undefined;
  #isOldFormat = false;
  readonly #canReadWhole: boolean;

  constructor({ canReadWhole }: { readonly canReadWhole: boolean }) {
    this.#canReadWhole = canReadWhole;
  }

  write(chunk: Uint8Array): void {
    if (this.#info !== undefined || this.#falseStarts > maxFalseStarts) return;
    if (this.#nextLook === undefined && this.#isPlain(chunk)) return;
    this.#keep(Buffer.from(chunk));
    if (this.#nextLook === undefined || this.#keptBytes >= this.#nextLook) this.#look();
  }

  end(digests: ContentDigests) {
    if (this.#info === undefined && this.#nextLook !== undefined) this.#look();
    if (this.#info === undefined) {
      if (this.#isOldFormat && this.#canReadWhole) return readWhole;
      if (this.#isOldFormat) throw new Error('a large program built by Go before 1.18');
      return undefined;
    }
    return { info: this.#info, ...(digests.sha256 === undefined ? {} : { sha256: digests.sha256 }) };
  }

  /** Passes a piece by without copying it, if the magic is neither in it nor across its beginning. */
  #isPlain(chunk: Uint8Array): boolean {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    const seam = Buffer.concat([...this.#kept, bytes.subarray(0, goInfoMagic.length - 1)]);
    if (bytes.length < goInfoMagic.length || bytes.includes(goInfoMagic) || seam.includes(goInfoMagic))
      return false;
    this.#kept = [];
    this.#keptBytes = 0;
    this.#keep(Buffer.from(bytes.subarray(bytes.length - goInfoMagic.length + 1)));
    return true;
  }

  #keep(bytes: Buffer): void {
    this.#kept.push(bytes);
    this.#keptBytes += bytes.length;
  }

  #look(): void {
    const bytes = Buffer.concat(this.#kept);
    this.#kept = [];
    this.#keptBytes = 0;
    this.#nextLook = undefined;
    let at = bytes.indexOf(goInfoMagic);
    for (; at >= 0 && this.#falseStarts <= maxFalseStarts; at = bytes.indexOf(goInfoMagic, at + 1)) {
      const rest = bytes.subarray(at);
      const read = readInlineInfo(rest);
      if (read === 'cut' && rest.length < maxInfoBytes) {
        this.#keep(rest);
        // Doubling keeps the copying linear however small the pieces are.
        this.#nextLook = 2 * rest.length;
        return;
      }
      if (read !== undefined && read !== 'cut') {
        this.#info = read;
        return;
      }
      this.#falseStarts += 1;
      this.#isOldFormat ||= isOldHeader(rest);
    }
    this.#keep(bytes.subarray(Math.max(0, bytes.length - goInfoMagic.length + 1)));
  }
}

function isOldHeader(blob: Buffer): boolean {
  const pointerBytes = blob[goInfoMagic.length];
  return (pointerBytes === 4 || pointerBytes === 8) && (blob[15] === 0 || blob[15] === 1);
}
