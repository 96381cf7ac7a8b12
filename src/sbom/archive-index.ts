import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { limits } from '../model/limits.ts';
import { normaliseLayerPath } from './layer-path.ts';
import { archiveFault, limitFault } from './sbom-fault.ts';
import { defaultSbomLimits } from './sbom-limits.ts';
import { TarReader } from './tar-reader.ts';

/** A tar file that can be read from any position. */
export interface ArchiveFile {
  /** Name for messages and, where the archive has none, for the image. */
  readonly name: string;
  /** Bytes of `length` from `offset`; all of the file without them. */
  read(options: {
    readonly signal: AbortSignal;
    readonly offset?: number;
    readonly length?: number;
  }): AsyncIterable<Uint8Array>;
}

interface Member {
  readonly offset: number;
  readonly size: number;
}

interface ReadOptions {
  readonly signal: AbortSignal;
}

const maxMembers = 100_000;

/** Where the members of a tar file lie, so that they can be read in any order without unpacking. */
export class ArchiveIndex {
  readonly #file: ArchiveFile;
  readonly #members = new Map<string, Member>();
  /** Symlinks and hard links, which `docker save` writes for repeated layers, with normalised targets. */
  readonly #links = new Map<string, string>();

  private constructor(file: ArchiveFile) {
    this.#file = file;
  }

  /** Reads the file once. Throws what {@link TarReader} throws, and ERR_SBOM_LIMIT for too many members. */
  static async read(file: ArchiveFile, options: ReadOptions): Promise<ArchiveIndex> {
    const index = new ArchiveIndex(file);
    const reader = new TarReader(
      (entry) => {
        const path = normaliseLayerPath(entry.name);
        if (entry.type === 'file' && !entry.sparse) index.#members.set(path, entry);
        if (entry.type === 'hardlink') index.#links.set(path, normaliseLayerPath(entry.linkName));
        if (entry.type === 'symlink') {
          index.#links.set(path, normaliseLayerPath(`${posix.dirname(path)}/${entry.linkName}`));
        }
        if (index.#members.size + index.#links.size > maxMembers) {
          throw limitFault(`the archive has more than ${maxMembers} members`, { object: file.name });
        }
        return undefined;
      },
      { object: file.name, limits: defaultSbomLimits },
    );
    for await (const chunk of file.read(options)) {
      options.signal.throwIfAborted();
      reader.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    }
    reader.end();
    return index;
  }

  /** The file's name. */
  get name(): string {
    return this.#file.name;
  }

  /** Bytes of a member; undefined if there is none of that name. */
  sizeOf(path: string): number | undefined {
    return this.#find(path)?.size;
  }

  /** Content of a member. */
  open(path: string, options: ReadOptions): AsyncIterable<Uint8Array> {
    const member = this.#find(path);
    if (member === undefined) throw archiveFault(`lacks ${path.slice(0, 100)}`, { object: this.name });
    return this.#file.read({ ...options, offset: member.offset, length: member.size });
  }

  /** Content of a small member, such as a manifest; undefined if there is none. Throws ERR_SBOM_LIMIT. */
  async bytes(path: string, options: ReadOptions): Promise<Buffer | undefined> {
    const size = this.sizeOf(path);
    if (size === undefined) return undefined;
    if (size > limits.manifestBytes) {
      throw limitFault(`${path.slice(0, 100)} is larger than ${limits.manifestBytes} bytes`, {
        object: this.name,
      });
    }
    return Buffer.concat(await Array.fromAsync(this.open(path, options)));
  }

  /** A small member as JSON; undefined if there is none. Throws ERR_SBOM_ARCHIVE if it is no JSON. */
  async json(path: string, options: ReadOptions): Promise<unknown> {
    const bytes = await this.bytes(path, options);
    if (bytes === undefined) return undefined;
    try {
      return JSON.parse(bytes.toString('utf8'));
    } catch (error) {
      throw archiveFault(`has a ${path} that is not JSON`, { object: this.name, cause: error });
    }
  }

  /** The sha256 digest of a member. */
  async digest(path: string, options: ReadOptions): Promise<string> {
    const hash = createHash('sha256');
    for await (const chunk of this.open(path, options)) hash.update(chunk);
    return `sha256:${hash.digest('hex')}`;
  }

  #find(path: string): Member | undefined {
    const name = normaliseLayerPath(path);
    return this.#members.get(name) ?? this.#members.get(this.#links.get(name) ?? '');
  }
}
