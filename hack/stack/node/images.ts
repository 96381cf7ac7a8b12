import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { copyOf, linkOf } from '../../image/image-file.ts';
import type { ImageFile } from '../../image/image-file.ts';
import { packLayer } from '../../image/layer-archive.ts';
import { hosts } from '../addresses.ts';
import { builtPath } from '../build/binaries.ts';
import { credential } from '../certificates.ts';
import type { Component } from '../component.ts';
import { debianProgram } from '../packages.ts';
import { inState } from '../paths.ts';
import { run } from '../process/run.ts';
import { componentNamed, nodeComponents } from '../versions.ts';

/** An image that the node needs, made of programs that are here. */
interface NodeImage {
  readonly name: string;
  readonly tag: string;
  readonly entrypoint: readonly string[];
  files(): Promise<readonly ImageFile[]>;
}

// In the registry that is open to all, so that the node pulls without credentials.
const repository = `${hosts.oci.name}/stack`;
const shellTag = 'debian';
const craneVersion = componentNamed('crane').version;

function referenceOf({ name, tag }: Pick<NodeImage, 'name' | 'tag'>): string {
  return `${repository}/${name}:${tag}`;
}

/** What holds a Pod's network open: a shell that sleeps. */
export const pauseImage = referenceOf({ name: 'pause', tag: shellTag });

/** A static shell with its tools, on which images can be based. */
export const shellImage = referenceOf({ name: 'shell', tag: shellTag });

/** The same with crane: what a build runs in. */
export const builderImage = referenceOf({ name: 'builder', tag: craneVersion });

async function shellFiles(): Promise<readonly ImageFile[]> {
  const busybox = debianProgram('busybox-static');
  const tools = (await run(busybox, ['--list'])).split('\n').filter((name) => /^[a-z]/.test(name));
  const links = tools.filter((name) => name !== 'busybox').map((name) => linkOf(`bin/${name}`, 'busybox'));
  return [await copyOf('bin/busybox', busybox), ...links];
}

async function builderFiles(): Promise<readonly ImageFile[]> {
  const crane = await copyOf('usr/bin/crane', builtPath(componentNamed('crane')));
  return [...(await shellFiles()), crane];
}

/** A program of Tekton Pipelines; each looks for the others in /ko-app. */
function tektonImage(component: Component): NodeImage {
  const path = `ko-app/${component.name.slice('tekton-'.length)}`;
  return {
    name: component.name,
    tag: component.version,
    entrypoint: [`/${path}`],
    files: async () => [await copyOf(path, builtPath(component))],
  };
}

const images: readonly NodeImage[] = [
  { name: 'pause', tag: shellTag, entrypoint: ['/bin/sleep', 'infinity'], files: shellFiles },
  { name: 'shell', tag: shellTag, entrypoint: ['/bin/sh'], files: shellFiles },
  { name: 'builder', tag: craneVersion, entrypoint: ['/bin/sh'], files: builderFiles },
  ...nodeComponents.filter(({ kind }) => kind === 'module-copy').map(tektonImage),
];

function crane(...args: readonly string[]): Promise<string> {
  const env = { HOME: inState('home'), SSL_CERT_FILE: credential('ca.crt') };
  return run(builtPath(componentNamed('crane')), args, { env });
}

async function push(image: NodeImage, folder: string): Promise<void> {
  const layer = join(folder, `${image.name}.tar.gz`);
  const packed = await packLayer({ name: image.name, files: await image.files() }, new Date(0));
  await writeFile(layer, packed.bytes);
  const reference = referenceOf(image);
  const platform = `linux/${process.arch === 'arm64' ? 'arm64' : 'amd64'}`;
  await crane(
    'append',
    '--oci-empty-base',
    `--platform=${platform}`,
    `--new_layer=${layer}`,
    `--new_tag=${reference}`,
  );
  const config = [
    `--entrypoint=${image.entrypoint.join(',')}`,
    '--env=PATH=/usr/bin:/bin',
    `--set-platform=${platform}`,
  ];
  await crane('mutate', reference, ...config, `--tag=${reference}`);
}

/** Sees to it that the registry holds the node's images; gives their references by digest, by name. */
export async function ensureImages(): Promise<ReadonlyMap<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'chainwright-images-'));
  try {
    const references = new Map<string, string>();
    for (const image of images) {
      const reference = referenceOf(image);
      const digest = await crane('digest', reference).catch(async () => {
        await push(image, folder);
        return crane('digest', reference);
      });
      references.set(image.name, `${reference}@${digest.trim()}`);
    }
    return references;
  } finally {
    await rm(folder, { recursive: true });
  }
}
