import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Fetcher, Updater } from 'tuf-js';
import { z } from 'zod';
import type { Clock } from '../model/clock.ts';
import { AppError, isAppError, messageOf } from '../model/errors.ts';

/** Gives a file of a TUF repository, at most `maxBytes` of it; undefined if there is none. */
export type ReadTufFile = (
  url: string,
  bound: { readonly maxBytes: number; readonly signal: AbortSignal },
) => Promise<Buffer | undefined>;

/** A TUF repository: where its files come from, and what is trusted of it to begin with. */
export interface TufRepository {
  /** Names it in messages. */
  readonly object: string;
  readonly metadataUrl: string;
  readonly targetsUrl: string;
  readonly read: ReadTufFile;
  /**
   * What is trusted so far, by file name: `root.json` at least; with what the last visit gave, an older state of the
   * repository is refused.
   */
  readonly trusted: TufMetadata;
}

/** Metadata files by their names. */
export type TufMetadata = ReadonlyMap<string, Buffer>;

/** The targets of a repository whose metadata was verified. */
export interface TufTargets {
  /** What the repository's own signers list, without delegations. */
  list(): Promise<readonly TufTarget[]>;
  /** A target's verified bytes; undefined if the repository has none of that name. */
  find(path: string): Promise<Buffer | undefined>;
}

/** A target in the list. */
export interface TufTarget {
  readonly path: string;
  /** What the repository says of it besides length and hashes. */
  readonly custom: unknown;
}

const maxTargetBytes = 4 * 1024 * 1024;
const maxTargets = 1000;
// Sigstore's largest metadata file has some 10 KiB.
const bounds = {
  maxRootRotations: 256,
  maxDelegations: 8,
  rootMaxLength: 512 * 1024,
  timestampMaxLength: 64 * 1024,
  snapshotMaxLength: 1024 * 1024,
  targetsMaxLength: 4 * 1024 * 1024,
};
const targetList = z.object({
  signed: z.object({ targets: z.record(z.string(), z.object({ custom: z.unknown().optional() })) }),
});
const expiring = z.object({ signed: z.object({ expires: z.string() }) });

/**
 * Updates from a TUF repository by the specification's client workflow (5.1 to 5.7, by tuf-js) and gives its targets to
 * `use`; the metadata that is trusted afterwards is for the next visit. Signatures, thresholds, versions, lengths and
 * hashes are checked by tuf-js, expiry by `clock` as well. Throws ERR_TUF_METADATA, ERR_TUF_EXPIRED, and what
 * `repository.read` throws; ERR_TUF_FOLDER (passing) without a place for files. tuf-js works on files: they lie in a private temporary folder that is removed at the end.
 */
export async function visitTufRepository<Result>(
  repository: TufRepository,
  use: (targets: TufTargets) => Promise<Result>,
  options: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<{ readonly result: Result; readonly trusted: TufMetadata }> {
  const folder = await openFolder(repository.object);
  const download = new TufDownload(repository, folder, options.signal);
  try {
    for (const [name, bytes] of repository.trusted) await writeFile(join(folder, name), bytes);
    const updater = await openUpdater(repository, folder, download);
    await updater.refresh();
    const result = await use(targetsOf(updater, folder));
    return { result, trusted: await readTrusted(folder, options.clock, repository.object) };
  } catch (error) {
    options.signal.throwIfAborted();
    throw download.fault ?? (isAppError(error) ? error : refuse(repository.object, error));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function openFolder(object: string): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), 'chainwright-tuf-'));
  } catch (cause) {
    throw new AppError('ERR_TUF_FOLDER', `${object}: no temporary folder can be made: ${messageOf(cause)}`, {
      kind: 'passing',
      object,
      remedy: 'Give the Pod a writable folder for temporary files: an emptyDir at /tmp.',
      cause,
    });
  }
}

async function openUpdater(
  { metadataUrl, targetsUrl }: TufRepository,
  folder: string,
  fetcher: Fetcher,
): Promise<Updater> {
  const tuf = await import('tuf-js');
  return new tuf.Updater({
    metadataDir: folder,
    metadataBaseUrl: metadataUrl,
    targetBaseUrl: targetsUrl,
    fetcher,
    config: bounds,
  });
}

function targetsOf(updater: Updater, folder: string): TufTargets {
  return {
    list: async () => {
      const { signed } = targetList.parse(JSON.parse(await readFile(join(folder, 'targets.json'), 'utf8')));
      return Object.entries(signed.targets)
        .slice(0, maxTargets)
        .map(([path, { custom }]) => ({ path, custom }));
    },
    find: async (path) => {
      const info = await updater.getTargetInfo(path);
      return info === undefined
        ? undefined
        : readFile(await updater.downloadTarget(info, join(folder, 'target')));
    },
  };
}

/** tuf-js judges expiry by its own clock; here that of the process counts, too. */
async function readTrusted(folder: string, clock: Clock, object: string): Promise<TufMetadata> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
  const trusted = new Map<string, Buffer>();
  for (const name of names) {
    const bytes = await readFile(join(folder, name));
    const { signed } = expiring.parse(JSON.parse(bytes.toString('utf8')));
    if (Date.parse(signed.expires) <= clock.now().getTime())
      throw refuse(object, new Error(`${name} is expired`));
    trusted.set(name, bytes);
  }
  return trusted;
}

/** tuf-js wraps errors into texts: the one that ended it is kept here. */
class TufDownload implements Fetcher {
  readonly #repository: TufRepository;
  readonly #folder: string;
  readonly #signal: AbortSignal;
  fault: AppError | undefined;

  constructor(repository: TufRepository, folder: string, signal: AbortSignal) {
    this.#repository = repository;
    this.#folder = folder;
    this.#signal = signal;
  }

  async downloadBytes(url: string, maxLength: number): Promise<Buffer> {
    const maxBytes = Math.min(maxLength, maxTargetBytes);
    let bytes: Buffer | undefined;
    try {
      bytes = await this.#repository.read(url, { maxBytes, signal: this.#signal });
    } catch (error) {
      if (isAppError(error)) this.fault = error;
      throw error;
    }
    if (bytes !== undefined) return bytes;
    // The error by which tuf-js learns that there is no newer root.
    const { DownloadHTTPError } = await import('tuf-js/dist/error.js');
    throw new DownloadHTTPError(`there is no ${url}`, 404);
  }

  async downloadFile<Result>(
    url: string,
    maxLength: number,
    handler: (file: string) => Promise<Result>,
  ): Promise<Result> {
    const file = join(this.#folder, 'download');
    await writeFile(file, await this.downloadBytes(url, maxLength));
    return handler(file);
  }
}

function refuse(object: string, cause: unknown): AppError {
  const why = messageOf(cause);
  const code = why.includes('is expired') ? 'ERR_TUF_EXPIRED' : 'ERR_TUF_METADATA';
  return new AppError(code, `the TUF repository of ${object} cannot be trusted: ${why}`, {
    kind: 'permanent',
    object,
    remedy: 'Have the repository signed anew by its keys, and give the root.json that vouches for them.',
    cause,
  });
}
