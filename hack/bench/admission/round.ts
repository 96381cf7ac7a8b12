import type { CountingFront } from '../counting-front.ts';
import type { Contender, Ground } from './contenders.ts';
import type { Phase, PhaseMeasurement } from './measurement.ts';
import { askAll, measurePhase } from './measurement.ts';
import { WebhookClient } from './webhook-client.ts';

/** How many Pods are asked about. */
export interface Counts {
  /** New images at one, at ten and at fifty at once. */
  readonly fresh: readonly [number, number, number];
  /** Pods of images judged before, for each number at once. */
  readonly known: number;
  /** New images before any clock starts. */
  readonly warmUp: number;
}

/** What a round takes besides the contender. */
export interface RoundParts extends Ground {
  readonly front: CountingFront;
  /** Where the Pods would be created. */
  readonly namespace: string;
  readonly counts: Counts;
  /** Images with all evidence, as Pods name them: as many as `counts` wants. */
  readonly images: readonly string[];
  /** An image without any. */
  readonly unsigned: string;
}

/** What a round of one contender came to. */
export interface Round {
  readonly phases: ReadonlyMap<string, PhaseMeasurement>;
  readonly peakRssBytes: number;
}

const atOnce = [1, 10, 50] as const;
// One image that is new, and as many Pods of it at once.
const rolledOut = 1;
const rollout = 50;

/** How many images a round needs. */
export function imagesNeeded({ fresh, warmUp }: Counts): number {
  return fresh.reduce((sum, count) => sum + count, warmUp + rolledOut);
}

/** Starts a contender, whose caches are empty then, and lets it judge new images and those same images again. */
export async function measureRound(contender: Contender, parts: RoundParts): Promise<Round> {
  const { counts, images, namespace, front } = parts;
  await using webhook = await contender.start(parts);
  await using client = new WebhookClient(webhook, namespace);
  await expectDenied(client, parts.unsigned);
  await askAll(client, images.slice(0, counts.warmUp), 4);
  const phases = new Map<string, PhaseMeasurement>();
  for (const phase of phasesOf(counts, images)) {
    phases.set(phase.name, await measurePhase(phase, { webhook, client, front }));
  }
  await expectDenied(client, parts.unsigned);
  return { phases, peakRssBytes: (await webhook.usage()).peakRssBytes };
}

function phasesOf({ fresh, known, warmUp }: Counts, images: readonly string[]): Phase[] {
  let next = warmUp;
  const freshPhases = atOnce.map((concurrency, at): Phase => {
    const from = next;
    next += fresh[at] ?? 0;
    return { name: `new@${concurrency}`, atOnce: concurrency, images: images.slice(from, next) };
  });
  const rolloutPhase = {
    name: `rollout@${rollout}`,
    atOnce: rollout,
    images: Array.from({ length: rollout }, () => images[next] ?? ''),
  };
  const judged = images.slice(0, next);
  const again = Array.from({ length: known }, (_, at) => judged[at % judged.length] ?? '');
  const knownPhases = atOnce.map((concurrency): Phase => {
    return { name: `known@${concurrency}`, atOnce: concurrency, images: again };
  });
  return [...freshPhases, rolloutPhase, ...knownPhases];
}

// Who lets everything in is fast as well.
async function expectDenied(client: WebhookClient, unsigned: string): Promise<void> {
  const { allowed } = await client.ask(unsigned);
  if (allowed) throw new Error(`an image that nobody signed was admitted: ${unsigned}`);
}
