import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { imageLayers } from '../../../hack/image/contents.ts';
import { writeRoot } from '../../../hack/image/root-folder.ts';
import { kubectl } from '../../../hack/stack/stack.ts';
import type { Stack } from '../../../hack/stack/stack.ts';
import { checkout } from '../chainwright-process.ts';
import { freePort } from '../free-port.ts';
import { renderKustomization } from './rendered-kustomization.ts';
import type { Scene } from '../scene.ts';
import { DeployedPod } from './deployed-pod.ts';
import { podsOf } from './pod-objects.ts';
import { openStackOverlay } from './stack-overlay.ts';

/** All of it installed in the stack's cluster, with a Pod of each Deployment. */
export interface Installation extends AsyncDisposable {
  /** What was applied. */
  readonly overlay: string;
  /** The image's file system. */
  readonly root: string;
  /** By the Deployment's name. */
  readonly pods: ReadonlyMap<string, DeployedPod>;
}

/**
 * Installs as docs/install.md says, with the overlay for a Sigstore of one's own and the stack's addresses. The webhook is about
 * namespaces and policies that carry the test label `name`.
 */
export async function openInstallation({ stack }: Scene, name: string): Promise<Installation> {
  await using parts = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), 'chainwright-root-'));
  parts.defer(() => rm(root, { recursive: true }));
  await writeRoot(root, await imageLayers(checkout));
  const https = await freePort();
  const overlay = parts.use(await openStackOverlay({ stack, name, port: https }));
  parts.defer(async () => {
    await kubectl(['delete', '--ignore-not-found', '-k', overlay.folder]);
    // The ServiceAccount by which other tests sign went with the rest.
    await kubectl(['apply', '--server-side', '-f', join(checkout, 'config/base/rbac.yaml')]);
  });
  await applyAll(stack, overlay.folder);
  const pods = new Map<string, DeployedPod>();
  for (const plan of podsOf(await renderKustomization(overlay.folder))) {
    pods.set(plan.name, parts.use(await DeployedPod.start({ stack, root, plan, ports: { https } })));
  }
  const opened = parts.move();
  return { overlay: overlay.folder, root, pods, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

async function applyAll(stack: Stack, overlay: string): Promise<void> {
  await createUsersObjects(stack);
  for (const folder of [join(checkout, 'config/cluster'), overlay]) {
    await kubectl(['apply', '--server-side', '--force-conflicts', '-k', folder]);
  }
}

/** What docs/install.md has the user make beforehand for the overlay self-hosted. */
export async function createUsersObjects(stack: Stack): Promise<void> {
  await kubectl(['apply', '--server-side', '-f', join(checkout, 'config/monitor/namespace.yaml')]);
  const authorities = ['configmap', 'private-ca', `--from-file=ca.crt=${stack.ca}`];
  await createIn('tekton-chains', ...authorities);
  await createIn('chainwright-monitor', ...authorities);
  await createIn(
    'tekton-chains',
    'configmap',
    'sigstore-trusted-root',
    `--from-file=trusted_root.json=${stack.trustedRoot}`,
  );
  await createIn(
    'tekton-chains',
    'secret',
    'docker-registry',
    'registry-credentials',
    ...registryFlags(stack, stack.robot),
  );
}

/** An account of the registry, for `kubectl create secret docker-registry`. */
export function registryFlags({ registry }: Stack, { user, password }: Stack['robot']): readonly string[] {
  const host = registry.slice(0, registry.indexOf('/'));
  return [`--docker-server=${host}`, `--docker-username=${user}`, `--docker-password=${password}`];
}

/** Creates what belongs to the user, or takes what an earlier run of the tests left. */
async function createIn(namespace: string, ...args: readonly string[]): Promise<void> {
  const text = await kubectl(['-n', namespace, 'create', ...args, '--dry-run=client', '-o', 'yaml']);
  await kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], text);
}
