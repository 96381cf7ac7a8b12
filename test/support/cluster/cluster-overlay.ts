import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { podHostAliases } from '../../../hack/stack/addresses.ts';
import type { Stack } from '../../../hack/stack/stack.ts';
import { checkout } from '../chainwright-process.ts';
import { addressPatches, patchOf } from '../pods/stack-overlay.ts';
import type { StackOverlay } from '../pods/stack-overlay.ts';

/** Our image where the node pulls it from. */
export interface ImageInRegistry {
  readonly name: string;
  readonly digest: string;
}

/**
 * The overlay for a Sigstore of one's own as a user of the stack's cluster writes it: image, addresses, and names that no DNS
 * knows there.
 */
export async function openClusterOverlay(stack: Stack, image: ImageInRegistry): Promise<StackOverlay> {
  const folder = await mkdtemp(join(tmpdir(), 'chainwright-overlay-'));
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [relative(folder, join(checkout, 'config/overlays/self-hosted'))],
    images: [{ name: 'chainwright', newName: image.name, digest: image.digest }],
    patches: [
      ...addressPatches(stack),
      patchOf('Deployment', [{ op: 'add', path: '/spec/template/spec/hostAliases', value: podHostAliases }]),
    ],
  };
  await writeFile(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}
