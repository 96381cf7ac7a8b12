import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../../hack/stack/process/run.ts';
import { kubectl } from '../../../hack/stack/stack.ts';
import type { Stack } from '../../../hack/stack/stack.ts';
import { checkout } from '../chainwright-process.ts';
import { runDocumented } from '../documented-commands.ts';
import { createUsersObjects } from '../pods/installation.ts';
import { openClusterOverlay } from './cluster-overlay.ts';
import type { ImageInRegistry } from './cluster-overlay.ts';

/** All of it installed in a cluster with a node, in Pods of our own image. */
export interface ClusterInstallation extends AsyncDisposable {
  readonly image: ImageInRegistry;
  /** What was applied. */
  readonly overlay: string;
}

/** Builds and pushes the image, installs as docs/install.md says and waits until every Deployment is available. */
export async function openClusterInstallation(stack: Stack): Promise<ClusterInstallation> {
  await using parts = new AsyncDisposableStack();
  const image = await pushOwnImage(stack);
  const overlay = parts.use(await openClusterOverlay(stack, image));
  await createUsersObjects(stack);
  parts.defer(async () => {
    await runDocumented(stack, 'Uninstall', overlay.folder);
    // The ServiceAccount by which other tests sign went with the rest.
    await kubectl(['apply', '--server-side', '-f', join(checkout, 'config/base/rbac.yaml')]);
  });
  await runDocumented(stack, 'A new cluster', overlay.folder);
  for (const namespace of ['tekton-chains', 'chainwright-monitor']) {
    const available = ['--for=condition=Available', 'deployment', '--all', '--timeout=3m'];
    await kubectl(['-n', namespace, 'wait', ...available]);
  }
  const opened = parts.move();
  return { image, overlay: overlay.folder, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** `make image PUSH=…`, to the registry from which the node pulls without credentials. */
async function pushOwnImage(stack: Stack): Promise<ImageInRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'chainwright-image-'));
  try {
    const name = `${stack.registryReferrers}/chainwright`;
    const script = ['hack/image/build.ts', '--output', folder, '--push', `${name}:cluster`];
    await run(process.execPath, script, { cwd: checkout, env: { ...process.env, ...stack.env } });
    const index = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')) as {
      manifests: [{ digest: string }];
    };
    return { name, digest: index.manifests[0].digest };
  } finally {
    await rm(folder, { recursive: true });
  }
}
