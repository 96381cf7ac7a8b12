import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { entrypoint, environment, user } from './contents.ts';
import { sha256 } from './layer-archive.ts';
import type { PackedLayer } from './layer-archive.ts';

/** What the image says of itself. */
export interface ImageFacts {
  readonly created: Date;
  readonly version: string;
  /** Commit of the sources, if they come from a repository. */
  readonly revision: string | undefined;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const types = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Writes the image as an OCI layout folder, in place of what was there; gives the digest of its manifest. */
export async function writeLayout(
  folder: string,
  layers: readonly PackedLayer[],
  facts: ImageFacts,
): Promise<string> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, 'blobs/sha256'), { recursive: true });
  const put = async (mediaType: string, bytes: Buffer): Promise<Descriptor> => {
    const digest = sha256(bytes);
    await writeFile(join(folder, 'blobs', digest.replace(':', '/')), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const json = (value: object): Buffer => Buffer.from(JSON.stringify(value));
  const config = await put(types.config, json(configOf(layers, facts)));
  const descriptors: Descriptor[] = [];
  for (const { bytes } of layers) descriptors.push(await put(types.layer, bytes));
  const head = { schemaVersion: 2, mediaType: types.manifest };
  const annotations = labelsOf(facts);
  const manifest = await put(types.manifest, json({ ...head, config, layers: descriptors, annotations }));
  const platform = { architecture: architectureOf(), os: 'linux' };
  await writeFile(
    join(folder, 'index.json'),
    json({ schemaVersion: 2, manifests: [{ ...manifest, platform }] }),
  );
  await writeFile(join(folder, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
  return manifest.digest;
}

function configOf(layers: readonly PackedLayer[], facts: ImageFacts): object {
  const created = facts.created.toISOString();
  return {
    created,
    architecture: architectureOf(),
    os: 'linux',
    config: {
      User: `${user}:${user}`,
      Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
      Entrypoint: entrypoint,
      WorkingDir: '/',
      Labels: labelsOf(facts),
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(({ name }) => ({ created, created_by: name })),
  };
}

function labelsOf({ created, version, revision }: ImageFacts): Readonly<Record<string, string>> {
  return {
    'org.opencontainers.image.title': 'chainwright',
    'org.opencontainers.image.version': version,
    'org.opencontainers.image.licenses': 'Apache-2.0',
    'org.opencontainers.image.created': created.toISOString(),
    ...(revision === undefined ? {} : { 'org.opencontainers.image.revision': revision }),
  };
}

function architectureOf(): string {
  const found = architectures[process.arch];
  if (found === undefined) throw new Error(`no image is built on ${process.arch}`);
  return found;
}
