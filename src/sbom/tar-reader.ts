import { parsePaxRecords } from './pax-records.ts';
import { formatFault, limitFault, truncatedFault } from './sbom-fault.ts';
import type { SbomLimits } from './sbom-limits.ts';
import {
  blockBytes,
  decodeTarText,
  entryTypeOf,
  hasValidChecksum,
  isHeaderOnly,
  isZeroBlock,
  parseTarHeader,
} from './tar-header.ts';
import type { RawTarHeader, TarEntryType } from './tar-header.ts';

/** A member of an archive. */
export interface TarEntry {
  readonly type: TarEntryType;
  /** As stored: not yet normalised. */
  readonly name: string;
  /** Target of a link, as stored. */
  readonly linkName: string;
  /** Bytes of content that follow. */
  readonly size: number;
  /** Where in the archive the content starts, in bytes. */
  readonly offset: number;
  readonly mode: number;
  /** Content is stored with holes left out, in a format of its own: it cannot be read as a file. */
  readonly sparse: boolean;
}

/** Takes a member's content; a `chunk` is valid during the call only. The first holds min(size, 512) bytes or more. */
export interface TarBody {
  write(chunk: Buffer): void;
  end(): void;
}

/** What a {@link TarReader} calls: once per member, giving a sink for its content if that is wanted. */
export type TarEntryHandler = (entry: TarEntry) => TarBody | undefined;

/** What a reader is bounded by, and how it names the layer in its errors. */
export interface TarReaderOptions {
  readonly object: string;
  readonly limits: Pick<SbomLimits, 'pathBytes'>;
}

type MetaFlag = 'x' | 'g' | 'L' | 'K';
const maxMetaBytes = 1024 * 1024;

/**
 * A tar reader that is pushed: ustar, pax (path, linkpath, size, GNU.sparse), GNU long names, GNU sparse maps,
 * base-256 sizes. It skips bodies without copying, holds less than a block between pushes, and reads as Go's
 * archive/tar does, which the container runtimes unpack with: what they see is what is catalogued.
 */
export class TarReader {
  readonly #onEntry: TarEntryHandler;
  readonly #options: TarReaderOptions;
  readonly #carry = Buffer.alloc(blockBytes);
  #carried = 0;
  #bodyLeft = 0;
  #paddingLeft = 0;
  #body: TarBody | undefined;
  #meta: { readonly flag: MetaFlag; readonly parts: Buffer[] } | undefined;
  #pax: Map<string, string> | undefined;
  #longName = '';
  #longLink = '';
  /** A sparse member that waits for the rest of its map. */
  #sparse: RawTarHeader | undefined;
  #zeroBlocks = 0;
  /** Bytes of the archive before the blocks at hand, and where the content after the header at hand starts. */
  #processed = 0;
  #contentAt = 0;

  constructor(onEntry: TarEntryHandler, options: TarReaderOptions) {
    this.#onEntry = onEntry;
    this.#options = options;
  }

  /** Reads on. Throws ERR_SBOM_LAYER_FORMAT, ERR_SBOM_LIMIT, what the handlers throw. */
  push(chunk: Buffer): void {
    let at = 0;
    if (this.#carried > 0) {
      at = chunk.copy(this.#carry, this.#carried, 0, blockBytes - this.#carried);
      this.#carried += at;
      if (this.#carried < blockBytes) return;
      this.#carried = 0;
      this.#blocks(this.#carry);
    }
    const whole = at + Math.floor((chunk.length - at) / blockBytes) * blockBytes;
    if (whole > at) this.#blocks(chunk.subarray(at, whole));
    this.#carried = chunk.copy(this.#carry, 0, whole);
  }

  /** Tells that the archive ends here. Throws ERR_SBOM_LAYER_TRUNCATED inside a member. */
  end(): void {
    if (this.#zeroBlocks >= 2) return;
    const pending = this.#meta ?? this.#sparse ?? this.#pax;
    if (this.#bodyLeft > 0 || this.#carried > 0 || pending !== undefined) {
      throw truncatedFault('its archive is cut inside a member', this.#options);
    }
  }

  #blocks(data: Buffer): void {
    let at = 0;
    while (at < data.length && this.#zeroBlocks < 2) {
      if (this.#bodyLeft > 0) {
        const take = Math.min(this.#bodyLeft, data.length - at);
        this.#body?.write(data.subarray(at, at + take));
        this.#bodyLeft -= take;
        at += take;
        if (this.#bodyLeft === 0) this.#endBody();
      } else if (this.#paddingLeft > 0) {
        // Input comes in whole blocks, so that the padding is always at hand.
        at += this.#paddingLeft;
        this.#paddingLeft = 0;
      } else {
        this.#contentAt = this.#processed + at + blockBytes;
        this.#header(data.subarray(at, at + blockBytes));
        at += blockBytes;
      }
    }
    this.#processed += data.length;
  }

  #header(block: Buffer): void {
    if (this.#sparse !== undefined) {
      if (block[504] === 0) this.#begin(this.#sparse, true);
      return;
    }
    if (isZeroBlock(block)) {
      this.#zeroBlocks += 1;
      return;
    }
    if (this.#zeroBlocks > 0 || !hasValidChecksum(block))
      throw this.#malformed('a member has a damaged header');
    const header = parseTarHeader(block);
    if (header.flag === 'x' || header.flag === 'g' || header.flag === 'L' || header.flag === 'K') {
      this.#beginMeta(header, header.flag);
    } else {
      this.#member(header);
    }
  }

  #beginMeta(header: RawTarHeader, flag: MetaFlag): void {
    if (header.size < 0) throw this.#malformed('a member has a malformed size');
    if (header.size > maxMetaBytes) throw limitFault('a tar header exceeds 1 MiB', this.#options);
    const parts: Buffer[] = [];
    this.#meta = { flag, parts };
    this.#beginBody(header.size, { write: (chunk) => parts.push(Buffer.from(chunk)), end: () => undefined });
  }

  #endMeta(meta: { readonly flag: MetaFlag; readonly parts: Buffer[] }): void {
    this.#meta = undefined;
    const bytes = Buffer.concat(meta.parts);
    switch (meta.flag) {
      case 'L':
        this.#longName = untilZero(bytes);
        break;
      case 'K':
        this.#longLink = untilZero(bytes);
        break;
      case 'x':
        this.#pax = parsePaxRecords(bytes);
        if (this.#pax === undefined) throw this.#malformed('a pax header is malformed');
        break;
      case 'g':
        // Global records carry comments (git's commit id); the runtimes do not apply them to members.
        break;
    }
  }

  #member(header: RawTarHeader): void {
    const isPaxSparse = this.#pax !== undefined && applyPax(header, this.#pax);
    if (this.#longName !== '') header.name = this.#longName;
    if (this.#longLink !== '') header.linkName = this.#longLink;
    this.#pax = undefined;
    this.#longName = this.#longLink = '';
    if (header.sparseExtended) this.#sparse = header;
    else this.#begin(header, isPaxSparse || header.flag === 'S');
  }

  #begin(header: RawTarHeader, sparse: boolean): void {
    this.#sparse = undefined;
    const size = isHeaderOnly(header.flag) ? 0 : header.size;
    if (size < 0) throw this.#malformed('a member has a malformed size');
    const { name, linkName, mode, flag } = header;
    if (name.length > this.#options.limits.pathBytes || linkName.length > this.#options.limits.pathBytes) {
      throw limitFault(`a path is longer than ${this.#options.limits.pathBytes} bytes`, this.#options);
    }
    this.#beginBody(
      size,
      this.#onEntry({ type: entryTypeOf(flag), name, linkName, size, offset: this.#contentAt, mode, sparse }),
    );
  }

  #beginBody(size: number, body: TarBody | undefined): void {
    this.#body = body;
    this.#bodyLeft = size;
    this.#paddingLeft = (blockBytes - (size % blockBytes)) % blockBytes;
    if (size === 0) this.#endBody();
  }

  #endBody(): void {
    const body = this.#body;
    this.#body = undefined;
    body?.end();
    if (this.#meta !== undefined) this.#endMeta(this.#meta);
  }

  #malformed(what: string): Error {
    return formatFault(`its archive cannot be read: ${what}`, this.#options);
  }
}

/** Lets a pax header's records (empty ones say nothing) win over the header's fields. True if they tell of a sparse file. */
function applyPax(header: RawTarHeader, pax: ReadonlyMap<string, string>): boolean {
  const value = (key: string): string | undefined => (pax.get(key) === '' ? undefined : pax.get(key));
  const isSparse = pax.has('GNU.sparse.major') || pax.has('GNU.sparse.map');
  header.name = (isSparse ? value('GNU.sparse.name') : undefined) ?? value('path') ?? header.name;
  header.linkName = value('linkpath') ?? header.linkName;
  const size = value('size');
  if (size !== undefined) header.size = /^\d{1,15}$/.test(size) ? Number(size) : -1;
  return isSparse;
}

function untilZero(bytes: Buffer): string {
  const zero = bytes.indexOf(0);
  return decodeTarText(zero < 0 ? bytes : bytes.subarray(0, zero));
}
