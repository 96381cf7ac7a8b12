import { isAppError } from '../../../model/errors.ts';
import { digestOf } from '../../../model/digest.ts';
import { parseRepository } from '../../../model/image-reference.ts';
import type { Repository } from '../../../model/image-reference.ts';
import type { ImageStore, NewManifest } from '../../../registry/image-store.ts';
import type { Check } from '../examination.ts';
import type { Discovery, FindingId } from '../finding-table.ts';

/** The tag that doctor writes: always the same bytes, so that however often it runs nothing gathers. */
const tag = 'chainwright-doctor';
const emptyBlob = Buffer.from('{}');
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const artifactType = 'application/vnd.chainwright.doctor.v1';

/** The registry, with a repository that was named: read, written, and what is attached found again. */
export const registryCheck: Check = {
  name: 'registry',
  needs: 'settings',
  look: async ({ registry, signal }) => {
    if (registry === undefined) return [];
    const repository = parseRepository(registry.repository);
    try {
      await registry.store.headManifest(repository, tag, { signal });
      return registry.isReadOnly ? [] : await tryOut(registry.store, repository, signal);
    } catch (error) {
      const id = isAppError(error) ? idOf(error.code, error.message) : undefined;
      if (id === undefined || !isAppError(error)) throw error;
      return [{ id, object: registry.repository, message: error.message }];
    }
  },
};

function idOf(code: string, message: string): FindingId | undefined {
  if (code === 'ERR_REGISTRY_TLS') return 'registry-authority';
  if (code === 'ERR_REGISTRY_REFUSED') return 'registry-push-denied';
  if (code !== 'ERR_REGISTRY_DENIED') return undefined;
  return message.includes('denied push') ? 'registry-push-denied' : 'registry-pull-denied';
}

async function tryOut(
  store: ImageStore,
  repository: Repository,
  signal: AbortSignal,
): Promise<readonly Discovery[]> {
  await store.putBlob(repository, emptyBlob, { signal });
  const image = manifestOf();
  const digest = await store.putManifest(repository, tag, image, { signal });
  const size = image.bytes.byteLength;
  const attached = manifestOf({ mediaType: manifestType, digest, size });
  const wanted = await store.putReferrer(repository, attached, { signal });
  const { descriptors } = await store.listReferrers(repository, digest, { signal });
  if (descriptors.some((one) => one.digest === wanted)) return [];
  const message = `${tag} has a referrer ${wanted}, and it is not listed`;
  return [{ id: 'registry-referrers', object: `${repository.registry}/${repository.path}`, message }];
}

function manifestOf(subject?: {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}): NewManifest {
  const empty = {
    mediaType: 'application/vnd.oci.empty.v1+json',
    digest: digestOf(emptyBlob),
    size: emptyBlob.byteLength,
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    artifactType,
    config: empty,
    layers: [empty],
    ...(subject === undefined ? {} : { subject }),
  };
  return { bytes: Buffer.from(JSON.stringify(manifest)), mediaType: manifestType };
}
