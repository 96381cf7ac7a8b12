import PQueue from 'p-queue';
import { ControllerProcess } from '../../../test/support/controller-process.ts';
import type { PushedImage } from '../../../test/support/images.ts';
import { pushImage } from '../../../test/support/images.ts';
import type { KubeApi } from '../../../test/support/kube-api.ts';
import type { RegistrySession } from '../../../test/support/registry-session.ts';
import { createCompletedRun, imageResults, waitUntilSigned } from '../../../test/support/task-runs.ts';
import { createNamespace, deleteNamespace } from '../../../test/support/test-namespace.ts';
import type { Stack } from '../../stack/stack.ts';

/** What making images takes. */
export interface ImageMaking {
  readonly stack: Stack;
  readonly api: KubeApi;
  readonly registry: RegistrySession;
  /** Keeps the repositories of one run of the bench apart from another's. */
  readonly label: string;
  /** Layouts that the evidence is written in. */
  readonly layouts: { readonly tags: boolean; readonly referrers: boolean };
}

// As many projects would: ten images share a repository.
const imagesPerRepository = 10;
const makers = 16;
const timeoutMs = 300_000;

/** Pushes images and lets our controller sign and attest each, as the runbook's policy wants it. */
export async function makeAttestedImages(count: number, making: ImageMaking): Promise<PushedImage[]> {
  const { stack, api, layouts } = making;
  const namespace = await createNamespace(api, 'bench');
  try {
    const settings = { storage: { layouts }, controller: { namespaces: [namespace] } };
    await using _controller = await ControllerProcess.start({ stack, settings });
    const queue = new PQueue({ concurrency: makers });
    const numbers = Array.from({ length: count }, (_, at) => at);
    return await queue.addAll(
      numbers.map((at) => async () => {
        const image = await pushUnsignedImage(making, Math.floor(at / imagesPerRepository));
        const run = { namespace, name: `image-${at}` };
        await createCompletedRun(api, { ...run, results: imageResults(image) });
        await waitUntilSigned(api, run, timeoutMs);
        return image;
      }),
    );
  } finally {
    await deleteNamespace(api, namespace);
  }
}

/** Pushes an image that nobody signed. */
export async function pushUnsignedImage(
  { registry, stack, label }: ImageMaking,
  repository = 0,
): Promise<PushedImage> {
  return pushImage(registry, `${stack.registry}/bench/${label}/app-${repository}`);
}
