import { AppError, isAppError } from '../model/errors.ts';
import { digestOf } from '../model/digest.ts';
import { registryLimits, registryTimes } from './registry-limits.ts';
import type { Clock } from '../model/clock.ts';
import type { Digest } from '../model/digest.ts';
import type { CallOptions, NewManifest, StoredManifest, TagEdit, TagUpdate } from './image-store.ts';

/** A manifest read from a tag, with what a conditional write of it needs. */
export interface TagState {
  readonly manifest: StoredManifest;
  readonly etag?: string;
}

/** The reading and writing of one tag, as {@link editTag} needs it. */
export interface TagAccess {
  /** `HOST/PATH:TAG`, for messages. */
  readonly object: string;
  read(): Promise<TagState | undefined>;
  /** Writes on the condition that the tag is as it was read, as far as the registry honours conditions. */
  write(manifest: NewManifest, previous: TagState | undefined): Promise<void>;
  /** The digest that the tag points to now. */
  currentDigest(): Promise<Digest | undefined>;
}

/**
 * Reads, edits, writes and looks whether the write still stands; where another writer came between, all of it again
 * with a growing pause. Registries without conditional writes (most) leave a gap between the reading and the writing of
 * two processes, in which the first one's write is lost after it was checked: whoever depends on it edits once more
 * when his other work is done, which costs one request if nothing is missing. Throws ERR_REGISTRY_TAG_CONTENDED.
 */
export async function editTag(
  access: TagAccess,
  edit: TagEdit,
  clock: Clock,
  options: CallOptions,
): Promise<TagUpdate> {
  let written = false;
  for (let attempt = 1; attempt <= registryLimits.tagAttempts; attempt += 1) {
    const state = await steadily(() => access.read(), clock, options);
    const next = await edit(state?.manifest);
    if (next === undefined) {
      return { written, ...(state === undefined ? {} : { digest: state.manifest.descriptor.digest }) };
    }
    if (await writeUnlessOvertaken(access, next, state)) {
      written = true;
      const digest = digestOf(next.bytes);
      if ((await steadily(() => access.currentDigest(), clock, options)) === digest)
        return { digest, written };
    }
    await clock.sleep(registryTimes.contentionMs * attempt * (0.5 + Math.random()), options.signal);
  }
  throw new AppError('ERR_REGISTRY_TAG_CONTENDED', `${access.object} was overwritten by others each time`, {
    kind: 'passing',
    object: access.object,
    remedy: 'Find out who else writes to this tag; this is tried again.',
  });
}

/** A registry whose files are written in place (CNCF Distribution) fails a reading that meets another writer's change of the tag. */
async function steadily<T>(read: () => Promise<T>, clock: Clock, { signal }: CallOptions): Promise<T> {
  for (let failed = 0; failed < registryLimits.tornReads; failed += 1) {
    try {
      return await read();
    } catch (error) {
      if (!isTorn(error)) throw error;
    }
    await clock.sleep(registryTimes.contentionMs * (0.5 + Math.random()), signal);
  }
  return read();
}

function isTorn(error: unknown): boolean {
  // One that asks for patience is told so by those who wait longer.
  return isAppError(error) && error.code === 'ERR_REGISTRY_SERVER' && error.retryAfterMs === undefined;
}

async function writeUnlessOvertaken(
  access: TagAccess,
  next: NewManifest,
  state: TagState | undefined,
): Promise<boolean> {
  try {
    await access.write(next, state);
    return true;
  } catch (error) {
    if (isAppError(error) && error.code === 'ERR_REGISTRY_PRECONDITION') return false;
    throw error;
  }
}
