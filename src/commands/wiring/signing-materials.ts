import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import type { ObjectRef, ResourceType } from '../../kube/resource-type.ts';
import { resourceTypes } from '../../kube/resource-type.ts';
import { messageOf } from '../../model/errors.ts';
import type { Log } from '../../model/log.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import type { ClusterReader } from './registry-access.ts';

// A rotated key or a renewed authority counts a minute later at the latest.
const lookAgainMs = 60_000;
const maxSettings = 256;
const unread = 'unread';

/**
 * Tells when something changed that settings name but do not hold: keys, trust roots and certificates in files, Secrets
 * and ConfigMaps. What cannot be read counts as unchanged.
 */
export class SigningMaterials {
  readonly #digests: LRUCache<string, string, Settings>;

  constructor({ log, ...reader }: ClusterReader & { readonly log: Pick<Log, 'warn'> }) {
    this.#digests = new LRUCache<string, string, Settings>({
      max: maxSettings,
      ttl: lookAgainMs,
      fetchMethod: async (_key, stale, { context }) => {
        try {
          return await digestOf(context, reader);
        } catch (error) {
          // Never read before: who opens what is named there tells what is wrong with it.
          log.warn('what the settings refer to cannot be read; what was read last counts', {
            error: messageOf(error),
          });
          return stale ?? unread;
        }
      },
    });
  }

  /** A text that changes when any of it does. `key` tells settings apart. */
  async digestOf(key: string, settings: Settings): Promise<string> {
    return this.#digests.forceFetch(key, { context: settings });
  }
}

async function digestOf(
  { signer, trustedRoot, registries }: Settings,
  reader: ClusterReader,
): Promise<string> {
  const key = signer.type === 'key' ? signer.key : {};
  const files = [key.file, key.passwordFile, trustedRoot.file, ...registries.map(({ caFile }) => caFile)];
  const secret = key.file === undefined ? key.secret : undefined;
  const authorities = registries.flatMap(({ ca }) => (ca === undefined ? [] : [ca]));
  const parts = await Promise.all([
    ...files.filter((file) => file !== undefined).map((file) => readFile(file)),
    ...(secret === undefined ? [] : [versionOf(reader, resourceTypes.secrets, secret)]),
    ...authorities.map(({ kind, name, namespace = reader.namespace }) =>
      versionOf(reader, kind === 'Secret' ? resourceTypes.secrets : resourceTypes.configMaps, {
        namespace,
        name,
      }),
    ),
  ]);
  const hash = createHash('sha256');
  for (const part of parts) hash.update(createHash('sha256').update(part).digest());
  return hash.digest('hex');
}

async function versionOf(
  { client, signal }: ClusterReader,
  type: ResourceType,
  ref: ObjectRef,
): Promise<string> {
  const { metadata } = await client.get(type, ref, { signal, view: 'metadata' });
  return `${metadata.uid ?? ''} ${metadata.resourceVersion ?? ''}`;
}
