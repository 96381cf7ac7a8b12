import PQueue from 'p-queue';
import type { PushedImage } from '../../test/support/images.ts';
import { pushImage } from '../../test/support/images.ts';
import { evidenceTag } from '../../test/support/attached-evidence.ts';
import type { RegistrySession } from '../../test/support/registry-session.ts';
import { createCompletedRun, imageResults } from '../../test/support/task-runs.ts';
import { createNamespace, deleteNamespace } from '../../test/support/test-namespace.ts';
import type { Contender, Ground, RunningController } from './contenders.ts';
import type { CountingFront } from './counting-front.ts';
import type { Measurement } from './figures.ts';
import { SignedWatch } from './signed-watch.ts';

/** What a burst takes besides the contender. */
export interface BurstOptions extends Ground {
  readonly registry: RegistrySession;
  readonly front: CountingFront;
  readonly runs: number;
  readonly singles: number;
  /** Keeps the repositories of one run of the bench apart from another's. */
  readonly label: string;
}

// A burst comes from many projects: ten images share a repository.
const imagesPerRepository = 10;
const pushers = 8;
const creators = 16;
const timeoutMs = 900_000;

interface Run {
  readonly name: string;
  readonly image: PushedImage;
  completedAtMs: number;
}

/**
 * Lets one contender sign a burst of completed TaskRuns and then some that come one at a time. The images are pushed and
 * the controller is ready before the clock starts.
 */
export async function measureBurst(contender: Contender, options: BurstOptions): Promise<Measurement> {
  const { api, runs, singles } = options;
  const burst = await prepareRuns('burst', runs, options);
  const single = await prepareRuns('single', singles, options);
  const namespace = await createNamespace(api, 'bench');
  try {
    await using controller = await contender.start(options);
    await using watch = SignedWatch.open(api, namespace);
    const measured = await completeBurst(burst, { ...options, namespace, controller, watch });
    for (const run of single) {
      await complete(run, options, namespace);
      await watch.waitFor(runs + single.indexOf(run) + 1, timeoutMs);
    }
    const all = [...burst, ...single];
    return {
      ...measured,
      runs,
      latencySeconds: burst.map((run) => latency(run, watch)),
      singleSeconds: single.map((run) => latency(run, watch)),
      peakRssBytes: (await controller.usage()).peakRssBytes,
      unsigned: await countUnsigned(all, options.registry, watch),
    };
  } finally {
    await deleteNamespace(api, namespace);
  }
}

async function prepareRuns(
  stem: string,
  count: number,
  { registry, stack, label }: BurstOptions,
): Promise<Run[]> {
  const queue = new PQueue({ concurrency: pushers });
  const numbers = Array.from({ length: count }, (_, at) => at);
  return queue.addAll(
    numbers.map((at) => async () => {
      const app = `app-${Math.floor(at / imagesPerRepository)}`;
      const image = await pushImage(registry, `${stack.registry}/bench/${label}/${app}`);
      return { name: `${stem}-${at}`, image, completedAtMs: 0 };
    }),
  );
}

async function completeBurst(
  burst: readonly Run[],
  options: BurstOptions & { namespace: string; controller: RunningController; watch: SignedWatch },
): Promise<Pick<Measurement, 'seconds' | 'cpuSeconds' | 'registryRequests'>> {
  const { controller, front, watch, namespace } = options;
  const before = await controller.usage();
  const requestsBefore = front.requests();
  const queue = new PQueue({ concurrency: creators });
  await queue.addAll(burst.map((run) => () => complete(run, options, namespace)));
  await watch.waitFor(burst.length, timeoutMs);
  const { cpuSeconds } = await controller.usage();
  const first = Math.min(...burst.map(({ completedAtMs }) => completedAtMs));
  const last = Math.max(...burst.map(({ name }) => watch.find(name)?.atMs ?? Number.NaN));
  return {
    seconds: (last - first) / 1000,
    cpuSeconds: cpuSeconds - before.cpuSeconds,
    registryRequests: front.requests() - requestsBefore,
  };
}

// The run names the image by the front's name, so that the controller's requests are counted.
async function complete(run: Run, { api, front }: BurstOptions, namespace: string): Promise<void> {
  const { repository, digest } = run.image;
  const counted = { repository: `${front.host}${repository.slice(repository.indexOf('/'))}`, digest };
  await createCompletedRun(api, { namespace, name: run.name, results: imageResults(counted) }, () => {
    run.completedAtMs = performance.now();
  });
}

function latency(run: Run, watch: SignedWatch): number {
  return ((watch.find(run.name)?.atMs ?? Number.NaN) - run.completedAtMs) / 1000;
}

// A mark alone proves nothing: each image must have its signature and its attestation.
async function countUnsigned(
  runs: readonly Run[],
  registry: RegistrySession,
  watch: SignedWatch,
): Promise<number> {
  const repositories = [...new Set(runs.map(({ image }) => image.repository))];
  const tags = new Map<string, ReadonlySet<string>>();
  for (const repository of repositories) tags.set(repository, new Set(await registry.listTags(repository)));
  const isSigned = ({ name, image }: Run): boolean =>
    watch.find(name)?.mark === 'true' &&
    (['sig', 'att'] as const).every((suffix) =>
      tags.get(image.repository)?.has(evidenceTag(image.digest, suffix)),
    );
  return runs.filter((run) => !isSigned(run)).length;
}
