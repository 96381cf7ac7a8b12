import { createHash } from 'node:crypto';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { parseAllDocuments, stringify } from 'yaml';

import { builtPath } from '../build/binaries.ts';
import { checkout, inState } from '../paths.ts';
import { run } from '../process/run.ts';
import { componentNamed } from '../versions.ts';

async function yamlFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return Promise.all(
    names
      .filter((name) => name.endsWith('.yaml'))
      .sort()
      .map((name) => readFile(join(folder, name), 'utf8')),
  );
}

/** The text of Tekton's CRDs without their conversion webhook, which only Tekton itself could answer. */
export function withoutConversion(text: string): string {
  return parseAllDocuments(text)
    .map((document) => {
      document.deleteIn(['spec', 'conversion']);
      return stringify(document);
    })
    .join('---\n');
}

async function manifests(): Promise<string> {
  const tekton = (await yamlFiles(builtPath(componentNamed('tekton-crds')))).map(withoutConversion);
  const ours = await yamlFiles(join(checkout, 'crds'));
  const base = await readFile(join(import.meta.dirname, 'base.yaml'), 'utf8');
  return [base, ...tekton, ...ours].join('\n---\n');
}

/** Runs kubectl as the cluster's administrator. */
export async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: inState('home'), KUBECONFIG: inState('kubeconfig') };
  return run(builtPath(componentNamed('kubectl')), args, input === undefined ? { env } : { env, input });
}

/** Applies what every cluster of the stack holds; the same manifests are not applied twice to the same cluster. */
export async function setUpCluster(): Promise<void> {
  const text = await manifests();
  const digest = createHash('sha256').update(text).digest('hex');
  // Beside etcd's data, so that it goes when they go.
  const stamp = inState('data', 'cluster-applied');
  if ((await readFile(stamp, 'utf8').catch(() => '')) === digest) return;
  await kubectl(
    ['apply', '--server-side', '--force-conflicts', '--field-manager=chainwright-stack', '-f', '-'],
    text,
  );
  await kubectl(['wait', '--for=condition=Established', '--timeout=180s', 'crd', '--all']);
  await writeFile(stamp, digest);
}
