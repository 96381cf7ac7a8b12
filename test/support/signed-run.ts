import { request } from 'undici';
import type { Stack } from '../../hack/stack/stack.ts';
import { listEvidence } from './attached-evidence.ts';
import { sha256 } from './images.ts';
import type { PushedImage } from './images.ts';
import type { Scene } from './scene.ts';
import { runPath } from './task-runs.ts';

/** All that can be seen of a run that somebody signed, without knowing who. */
export interface SeenRun {
  readonly annotations: Readonly<Record<string, string>>;
  /** `LAYOUT KIND DIGEST` of each piece of evidence beside its images, sorted. */
  readonly evidence: readonly string[];
  /** UUIDs of log entries that name its images, or a payload that lies beside them; sorted. */
  readonly entries: readonly string[];
}

/** Looks at run, registry and log. */
export async function seeRun(
  { api, registry, judges }: Scene,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  images: readonly PushedImage[],
): Promise<SeenRun> {
  const { metadata } = await api.get(runPath(namespace, name));
  const listed = await Promise.all(images.map((image) => listEvidence(registry, image, image.digest)));
  const evidence = listed.flat();
  const logged = [...images.map(({ digest }) => digest), ...evidence.map(({ payload }) => sha256(payload))];
  const entries = new Set<string>();
  for (const digest of new Set(logged)) for (const uuid of await judges.search(digest)) entries.add(uuid);
  return {
    annotations: metadata.annotations ?? {},
    evidence: evidence.map(({ layout, kind, digest }) => `${layout} ${kind} ${digest}`).sort(),
    entries: [...entries].sort(),
  };
}

/** How many entries the log of the stack has. */
export async function countLogEntries({ rekorUrl }: Pick<Stack, 'rekorUrl'>): Promise<number> {
  const { body } = await request(`${rekorUrl}/api/v1/log`);
  const { treeSize } = (await body.json()) as { readonly treeSize: number };
  return treeSize;
}
