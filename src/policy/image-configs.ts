import PQueue from 'p-queue';
import { AppError } from '../model/errors.ts';
import { formatRepository } from '../model/image-reference.ts';
import type { PinnedImage } from '../model/image-reference.ts';
import { limits } from '../model/limits.ts';
import type { Descriptor } from '../model/oci.ts';
import type { CallOptions, ImageStore } from '../registry/image-store.ts';
import { isImageIndex } from '../registry/manifest-parser.ts';
import { listPlatformManifests } from '../registry/platform-manifests.ts';

/** Configs of an image by platform: `os/arch[/variant][:os.version]`. */
export type ImageConfigs = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** An index in an index in an index has no use; configs of more bytes are nothing that an evaluator could take. */
const maxDepth = 3;
const maxTotalBytes = 4 * 1024 * 1024;
const concurrency = 4;

/**
 * The OCI config of an image, or of every image of an index, those of nested ones included (policy-controller's
 * `fetchConfigFile`). BuildKit's attestation manifests are no images and are left out. Throws ERR_POLICY_CONFIG where one
 * cannot be had, or where it isn't clear which one is a platform's; and what the store throws.
 */
export async function readImageConfigs(
  store: ImageStore,
  image: PinnedImage,
  options: CallOptions,
): Promise<ImageConfigs> {
  return new ConfigReading(store, image.repository, options).readAll(image.digest);
}

interface FoundConfig {
  readonly platform: string;
  readonly digest: string;
  readonly config: Readonly<Record<string, unknown>>;
}

class ConfigReading {
  readonly #store: ImageStore;
  readonly #repository: PinnedImage['repository'];
  readonly #options: CallOptions;
  readonly #queue = new PQueue({ concurrency });
  #manifests = 0;
  #bytes = 0;

  constructor(store: ImageStore, repository: PinnedImage['repository'], options: CallOptions) {
    this.#store = store;
    this.#repository = repository;
    this.#options = options;
  }

  async readAll(digest: PinnedImage['digest']): Promise<ImageConfigs> {
    try {
      return byPlatform(await this.#read({ digest }, 0), this.#nameOf(digest));
    } finally {
      // What still waits when one fails is not fetched any more.
      this.#queue.clear();
    }
  }

  async #read(
    listed: Pick<Descriptor, 'digest' | 'platform'>,
    depth: number,
  ): Promise<readonly FoundConfig[]> {
    const { digest } = listed;
    const name = this.#nameOf(digest);
    this.#manifests += 1;
    if (depth > maxDepth || this.#manifests > limits.indexManifests) {
      throw unusable(name, 'the image index is too deep or too long');
    }
    const stored = await this.#inTurn(() => this.#store.getManifest(this.#repository, digest, this.#options));
    if (stored === undefined) throw unusable(name, 'there is no such image');
    if (isImageIndex(stored.manifest)) {
      const images = listPlatformManifests(stored);
      return (await Promise.all(images.map((one) => this.#read(one, depth + 1)))).flat();
    }
    const config = await this.#configAt(stored.manifest.config, name);
    requireListedPlatform(config, listed, name);
    return [{ platform: platformOf(config), digest: stored.manifest.config.digest, config }];
  }

  async #configAt(blob: Descriptor, name: string): Promise<FoundConfig['config']> {
    this.#bytes += blob.size;
    if (this.#bytes > maxTotalBytes)
      throw unusable(name, `its configs have more than ${maxTotalBytes} bytes`);
    const bytes = await this.#inTurn(() =>
      this.#store.getBlob(this.#repository, blob, { ...this.#options, maxBytes: limits.jsonBytes }),
    );
    try {
      const config: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
      if (typeof config === 'object' && config !== null && !Array.isArray(config)) {
        return config as FoundConfig['config'];
      }
    } catch {
      // Told below.
    }
    throw unusable(name, 'its config is no JSON object');
  }

  async #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    return this.#queue.add(async () => {
      this.#options.signal.throwIfAborted();
      return work();
    });
  }

  #nameOf(digest: string): string {
    return `${formatRepository(this.#repository)}@${digest}`;
  }
}

/** A runtime chooses by what the index says; a policy must not be shown another platform's config under that name. */
function requireListedPlatform(
  config: FoundConfig['config'],
  { platform }: Pick<Descriptor, 'platform'>,
  name: string,
): void {
  if (platform === undefined) return;
  const { os, architecture } = config;
  if (os === platform.os && architecture === platform.architecture) return;
  const listed = `${platform.os}/${platform.architecture}`;
  throw unusable(name, `the index lists it for ${listed}, and its config says ${platformOf(config)}`);
}

/** go-containerregistry's text for a platform. */
function platformOf(config: FoundConfig['config']): string {
  const text = (key: string): string => (typeof config[key] === 'string' ? config[key] : '');
  const os = text('os');
  if (os === '') return '';
  const parts = [os, text('architecture'), text('variant')].filter((part) => part !== '');
  const version = text('os.version');
  return `${parts.join('/')}${version === '' ? '' : `:${version}`}`;
}

function byPlatform(found: readonly FoundConfig[], name: string): ImageConfigs {
  const configs = new Map<string, FoundConfig>();
  for (const one of found) {
    const known = configs.get(one.platform);
    if (known !== undefined && known.digest !== one.digest) {
      throw unusable(name, `it has two images for ${one.platform || 'no platform'}`);
    }
    configs.set(one.platform, one);
  }
  return Object.fromEntries([...configs].map(([platform, { config }]) => [platform, config]));
}

function unusable(object: string, why: string): AppError {
  return new AppError('ERR_POLICY_CONFIG', `failed to get a ConfigFile: ${object}: ${why}`, {
    kind: 'permanent',
    object,
    remedy: 'Push the image again with a current tool; a policy with fetchConfigFile needs every config.',
  });
}
