import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { parseAllDocuments } from 'yaml';

import { podHostAliases } from '../addresses.ts';
import { builtPath } from '../build/binaries.ts';
import { kubectl } from '../kubernetes/setup.ts';
import { componentNamed } from '../versions.ts';

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  data?: Record<string, string>;
}

// Not needed here: events for a broker, scaling by load; resolvers have a folder of their own.
const leftOut = new Set(['events.yaml', 'webhook-hpa.yaml']);
const fieldManager = '--field-manager=chainwright-stack';

/** Tekton's own manifests with the images that the registry here holds. */
export function withImages(text: string, images: ReadonlyMap<string, string>): string {
  const imageOf = (name: string): string => {
    const found = images.get(name);
    if (found === undefined) throw new Error(`no image stands for ${name} of Tekton's manifests`);
    return found;
  };
  return text
    .replaceAll(/ko:\/\/github\.com\/tektoncd\/pipeline\/cmd\/([a-z]+)/g, (_, name: string) =>
      imageOf(`tekton-${name}`),
    )
    .replaceAll(/(?:cgr\.dev|mcr\.microsoft\.com)\/[^\s"]+/g, () => imageOf('shell'));
}

async function manifestFiles(): Promise<string[]> {
  const root = builtPath(componentNamed('tekton-config'));
  const folders = ['100-namespace', '.', '300-crds'].map((name) => join(root, name));
  const names = await Promise.all(folders.map(async (folder) => (await readdir(folder)).sort()));
  return folders.flatMap((folder, at) =>
    (names[at] ?? [])
      .filter((name) => name.endsWith('.yaml') && !leftOut.has(name))
      .map((name) => join(folder, name)),
  );
}

async function manifests(images: ReadonlyMap<string, string>): Promise<Manifest[]> {
  const texts = await Promise.all((await manifestFiles()).map((file) => readFile(file, 'utf8')));
  return texts
    .flatMap((text) => parseAllDocuments(withImages(text, images)))
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null);
}

/** Pods of builds know the stack's names; the rest is Tekton's defaults. */
function withDefaults(manifest: Manifest): Manifest {
  if (manifest.metadata.name !== 'config-defaults') return manifest;
  return { ...manifest, data: { 'default-pod-template': JSON.stringify({ hostAliases: podHostAliases }) } };
}

/** Installs Tekton Pipelines as its release does, and waits until it works. */
export async function installTekton(images: ReadonlyMap<string, string>): Promise<void> {
  const items = (await manifests(images)).map(withDefaults);
  const list = { apiVersion: 'v1', kind: 'List', items };
  await kubectl(
    ['apply', '--server-side', '--force-conflicts', fieldManager, '-f', '-'],
    JSON.stringify(list),
  );
  await kubectl([
    '-n',
    'tekton-pipelines',
    'wait',
    '--for=condition=Available',
    '--timeout=120s',
    'deployment',
    '--all',
  ]);
}

const labelled = ['-l', 'app.kubernetes.io/part-of=tekton-pipelines'];

/** Takes Tekton's webhooks out of the way of its objects, as long as nothing answers them. */
export async function releaseHooks(): Promise<void> {
  const kinds = 'mutatingwebhookconfigurations,validatingwebhookconfigurations';
  await kubectl(['delete', kinds, '--ignore-not-found', ...labelled]);
}

/** Leaves the cluster fit for TaskRuns that nobody but us looks at, as it was without Tekton. */
export async function leaveTekton(): Promise<void> {
  await releaseHooks();
  const types = (await kubectl(['get', 'crds', ...labelled, '-o', 'name'])).split('\n').filter(Boolean);
  const patch = JSON.stringify([{ op: 'add', path: '/spec/conversion', value: { strategy: 'None' } }]);
  for (const type of types) await kubectl(['patch', type, '--type=json', `--patch=${patch}`]);
}
