import { resolve } from 'node:path';
import { kubectl } from '../../../hack/stack/stack.ts';
import { checkout } from '../chainwright-process.ts';
import { objectsIn } from './rendered-chart.ts';
import type { ChartObject } from './rendered-chart.ts';

/** The overlays of config/ that users install. */
export const overlays = ['public', 'harbor', 'self-hosted'] as const;

/** What `kubectl apply -k FOLDER` would apply; the folder is relative to the checkout, or absolute. */
export async function renderKustomization(folder: string): Promise<readonly ChartObject[]> {
  return objectsIn(await kubectl(['kustomize', resolve(checkout, folder)]));
}
