import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { AppError } from '../model/errors.ts';
import { splitDigest } from '../model/digest.ts';
import { mediaTypes } from '../model/oci.ts';
import { isImageIndex, parseManifest } from './manifest-parser.ts';
import { registryLimits, registryTimes } from './registry-limits.ts';
import type { Clock } from '../model/clock.ts';
import type { Digest } from '../model/digest.ts';
import type { Descriptor } from '../model/oci.ts';
import type { CallOptions } from './image-store.ts';

const layoutFile = z.looseObject({ imageLayoutVersion: z.literal('1.0.0') });
const lockPauseMs = 20;

/** The files of an OCI image layout folder (image-spec, image-layout.md), written so that a crash leaves no half file. */
export class LayoutFolder {
  readonly #folder: string;
  readonly #clock: Clock;

  private constructor(folder: string, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
  }

  /** Opens the folder, making it if it does not exist. Throws ERR_REGISTRY_LAYOUT. */
  static async open(folder: string, clock: Clock): Promise<LayoutFolder> {
    const layout = new LayoutFolder(folder, clock);
    try {
      await mkdir(join(folder, 'blobs', 'sha256'), { recursive: true });
    } catch (error) {
      throw layoutFault(folder, 'it cannot be written', error);
    }
    await layout.#checkVersion();
    return layout;
  }

  async #checkVersion(): Promise<void> {
    const path = join(this.#folder, 'oci-layout');
    const text = await readIfPresent(path);
    if (text === undefined) {
      await writeAtomically(path, Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
    } else if (!layoutFile.safeParse(parseJson(text)).success) {
      throw layoutFault(this.#folder, 'its oci-layout file is not of version 1.0.0');
    }
  }

  /** Where the blob with this digest lies, or would lie. */
  blobPath(digest: Digest): string {
    const { algorithm, hex } = splitDigest(digest);
    return join(this.#folder, 'blobs', algorithm, hex);
  }

  /** Bytes of the blob; `undefined` if there is none. */
  async findBlobSize(digest: Digest): Promise<number | undefined> {
    const found = await stat(this.blobPath(digest)).catch(undefinedIfAbsent);
    return found?.size;
  }

  async writeBlob(digest: Digest, bytes: Uint8Array): Promise<void> {
    const path = this.blobPath(digest);
    await mkdir(dirname(path), { recursive: true });
    await writeAtomically(path, bytes);
  }

  /** The entries of `index.json`. Throws ERR_REGISTRY_LAYOUT. */
  async readIndex(): Promise<readonly Descriptor[]> {
    const path = join(this.#folder, 'index.json');
    const size = (await stat(path).catch(undefinedIfAbsent))?.size ?? 0;
    if (size > registryLimits.layoutIndexBytes)
      throw layoutFault(this.#folder, 'its index.json is too large');
    const bytes = await readIfPresent(path);
    if (bytes === undefined) return [];
    const { manifest } = parseManifest(bytes, mediaTypes.ociIndex, path);
    return isImageIndex(manifest) ? manifest.manifests : [];
  }

  /** Changes `index.json` while no other writer does; `change` gives `undefined` to leave it. True if it was changed. */
  async changeIndex(
    change: (entries: readonly Descriptor[]) => readonly Descriptor[] | undefined,
    options: CallOptions,
  ): Promise<boolean> {
    const lock = join(this.#folder, 'index.json.lock');
    await this.#lock(lock, options);
    try {
      const entries = change(await this.readIndex());
      if (entries === undefined) return false;
      const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: entries };
      await writeAtomically(join(this.#folder, 'index.json'), Buffer.from(JSON.stringify(index)));
      return true;
    } finally {
      await rm(lock, { force: true });
    }
  }

  async #lock(path: string, { signal }: CallOptions): Promise<void> {
    signal.throwIfAborted();
    while (!(await createExclusively(path))) {
      await this.#removeIfStale(path);
      await this.#clock.sleep(lockPauseMs, signal);
    }
  }

  /** A process that was killed while it held the lock must not stop the others for ever. */
  async #removeIfStale(path: string): Promise<void> {
    const found = await stat(path).catch(undefinedIfAbsent);
    if (found === undefined || this.#clock.now().getTime() - found.mtimeMs < registryTimes.staleLockMs)
      return;
    // Renamed first: of several that saw the stale lock, one wins.
    const grave = `${path}.${randomUUID()}`;
    await rename(path, grave).catch(undefinedIfAbsent);
    await rm(grave, { force: true });
  }
}

async function createExclusively(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    await file.close();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw layoutFault(path, 'it cannot be locked', error);
  }
}

async function writeAtomically(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, bytes);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw layoutFault(path, 'it cannot be written', error);
  }
}

async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  return readFile(path).catch(undefinedIfAbsent);
}

function undefinedIfAbsent(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
  throw layoutFault('the layout folder', 'it cannot be read', error);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as unknown;
  } catch {
    // Told by the caller, which knows the file.
    return undefined;
  }
}

function layoutFault(object: string, why: string, cause?: unknown): AppError {
  return new AppError('ERR_REGISTRY_LAYOUT', `${object} is no usable OCI layout folder: ${why}`, {
    kind: 'passing',
    object,
    remedy: 'Give a folder that is empty or an OCI image layout, and that can be written.',
    cause,
  });
}
