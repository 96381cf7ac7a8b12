import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { messageOf } from '../model/errors.ts';
import { readWhole } from './cataloguer.ts';
import { freeWhole } from './decompression.ts';
import type { ContentDigests, FactStream, FileStat, WholeFileRule } from './cataloguer.ts';
import type { FileFact } from './file-tree.ts';
import type { RuleIndex, RuleMatch } from './rule-index.ts';
import type { TarBody } from './tar-reader.ts';

const maxReasonLength = 200;

/** One buffer that all files of a layer use in turn, so that memory follows the largest wanted file, not their number. */
export class ScratchBuffer {
  #buffer = Buffer.alloc(0);

  /** At least `bytes` long; what the last caller left in it is lost. */
  take(bytes: number): Buffer {
    if (this.#buffer.length < bytes) {
      this.free();
      this.#buffer = Buffer.allocUnsafeSlow(Math.max(bytes, 64 * 1024));
    }
    return this.#buffer;
  }

  /** Gives the memory back at once. */
  free(): void {
    freeWhole(this.#buffer);
    this.#buffer = Buffer.alloc(0);
  }
}

/** What {@link FileContent} works with. */
export interface FileContentOptions {
  readonly index: RuleIndex;
  readonly scratch: ScratchBuffer;
  /** Called at the file's end with what each rule read. */
  onFacts(facts: readonly (readonly [RuleMatch, FileFact])[]): void;
  /** Called at the file's end with the rules that have to read it once more. */
  onReadWhole(matches: readonly RuleMatch[]): void;
  /** True if the content's first bytes may not bring further rules. */
  readonly isAgain?: boolean;
}

/** A wanted file's content on its way to the rules that want it: whole, streamed, or both. Rules' faults become gaps. */
export class FileContent implements TarBody {
  readonly #file: FileStat;
  readonly #options: FileContentOptions;
  #matches: readonly RuleMatch[];
  #started = false;
  readonly #again: RuleMatch[] = [];
  readonly #gaps = new Map<RuleMatch, string>();
  readonly #streams = new Map<RuleMatch, FactStream<unknown>>();
  readonly #hashes = new Map<'sha1' | 'sha256', Hash>();
  #gather = false;
  #gathered = 0;
  /** The content, if it came in one piece or was gathered. */
  #content: Buffer = Buffer.alloc(0);

  constructor(file: FileStat, matches: readonly RuleMatch[], options: FileContentOptions) {
    this.#file = file;
    this.#matches = matches;
    this.#options = options;
  }

  write(chunk: Buffer): void {
    if (!this.#started) this.#start(chunk);
    if (this.#matches.length === 0) return;
    for (const hash of this.#hashes.values()) hash.update(chunk);
    for (const [match, stream] of this.#streams)
      this.#guard(match, () => {
        stream.write(chunk);
      });
    if (this.#gather) this.#collect(chunk);
  }

  end(): void {
    if (!this.#started) this.#start(Buffer.alloc(0));
    if (this.#matches.length === 0) return;
    const digests: ContentDigests = Object.fromEntries(
      [...this.#hashes].map(([algorithm, hash]) => [algorithm, hash.digest('hex')]),
    );
    const facts: (readonly [RuleMatch, FileFact])[] = [];
    for (const match of this.#matches) {
      const fact = this.#finish(match, digests);
      if (fact !== undefined) facts.push([match, fact]);
    }
    this.#options.onFacts(facts);
    if (this.#again.length > 0) this.#options.onReadWhole(this.#again);
  }

  #start(chunk: Buffer): void {
    this.#started = true;
    const { index, isAgain = false } = this.#options;
    const byMagic = isAgain ? [] : index.byMagic(this.#file, chunk, this.#matches);
    if (byMagic.length > 0) this.#matches = [...this.#matches, ...byMagic];
    for (const match of this.#matches) this.#open(match);
    if (this.#gather) {
      const inOnePiece = chunk.length === this.#file.size;
      this.#content = inOnePiece ? chunk : this.#options.scratch.take(this.#file.size);
      this.#gather = !inOnePiece;
    }
  }

  #open(match: RuleMatch): void {
    const { reader } = match;
    for (const algorithm of reader.digests ?? []) {
      if (!this.#hashes.has(algorithm)) this.#hashes.set(algorithm, createHash(algorithm));
    }
    if ('open' in reader) {
      const stream = this.#guard(match, () => reader.open(this.#file));
      if (stream !== undefined) this.#streams.set(match, stream);
    } else if (this.#file.size > reader.maxBytes) {
      this.#gaps.set(match, `larger than ${reader.maxBytes} bytes`);
    } else {
      this.#gather = true;
    }
  }

  #collect(chunk: Buffer): void {
    this.#gathered += chunk.copy(this.#content, this.#gathered);
  }

  #finish(match: RuleMatch, digests: ContentDigests): FileFact | undefined {
    const { reader, rule } = match;
    const fact = this.#gaps.has(match)
      ? undefined
      : this.#guard(match, () =>
          'open' in reader ? this.#streams.get(match)?.end(digests) : this.#parse(reader, digests),
        );
    const gap = this.#gaps.get(match);
    if (gap !== undefined) return { rule, gap };
    if (fact === readWhole) {
      const whole = 'open' in reader ? reader.whole : undefined;
      if (whole !== undefined) this.#again.push({ ...match, reader: whole });
      return undefined;
    }
    return fact === undefined ? undefined : { rule, fact };
  }

  #parse(reader: WholeFileRule<unknown>, digests: ContentDigests): unknown {
    return reader.parse(this.#content.subarray(0, this.#file.size), this.#file, digests);
  }

  /** Malformed content is the image's fault, not a reason to stop: it is noted, and its rule gets no more of it. */
  #guard<T>(match: RuleMatch, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.#gaps.set(match, messageOf(error).slice(0, maxReasonLength));
      this.#streams.delete(match);
      return undefined;
    }
  }
}
