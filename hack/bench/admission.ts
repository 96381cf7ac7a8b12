/**
 * Compares our webhook with the real policy-controller on the local stack, in one run, alternating: the same policy (the
 * runbook's: one keyless authority, two attestations, CUE) over the same images in the same registry: images that are new
 * to the webhook and images that it judged before, 1, 10 and 50 at once, and 50 Pods of one new image. Reviews are posted straight to each webhook, so
 * the times are its own and the client's. The last line is JSON; ratios are ours/peer.
 *
 *   node hack/bench/admission.ts [--images 400] [--known 400] [--rounds 1] [--only chainwright,policy-controller]
 *     [--layouts both|tags] [--quick]
 *
 * A webhook starts with empty caches in each round. `--layouts tags` leaves our evidence out of the referrers, where the
 * peer does not look.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { PushedImage } from '../../test/support/images.ts';
import { KubeApi } from '../../test/support/kube-api.ts';
import { policyControllerVersion } from '../../test/support/policy-controller-process.ts';
import { applyRunbookPolicy } from '../../test/support/runbook-policy.ts';
import { RegistrySession } from '../../test/support/registry-session.ts';
import { createNamespace, deleteNamespace } from '../../test/support/test-namespace.ts';
import { openStack } from '../stack/stack.ts';
import type { Contender } from './admission/contenders.ts';
import { contenders } from './admission/contenders.ts';
import { makeAttestedImages, pushUnsignedImage } from './admission/images.ts';
import type { PhaseFigures } from './admission/measurement.ts';
import { phaseFigures, phaseRatios, poolPhases, rounded } from './admission/measurement.ts';
import type { Counts, Round } from './admission/round.ts';
import { imagesNeeded, measureRound } from './admission/round.ts';
import { openCountingFront, writeDockerConfig } from './counting-front.ts';

interface Plan {
  readonly counts: Counts;
  readonly rounds: number;
  readonly chosen: readonly Contender[];
  readonly layouts: { readonly tags: boolean; readonly referrers: boolean };
}

async function main(): Promise<void> {
  const plan = readPlan();
  // Ratios travel from machine to machine, but not from a busy one: who reads the figures must be able to tell.
  const machine = { cpus: availableParallelism(), loadBefore: loadavg()[0] ?? 0 };
  const stack = await openStack();
  await using closing = new AsyncDisposableStack();
  const api = closing.use(await KubeApi.open(stack.kubeconfig));
  const registry = closing.use(await RegistrySession.open({ ca: stack.ca, account: stack.robot }));
  const front = closing.use(await openCountingFront());
  const folder = await mkdtemp(join(tmpdir(), 'chainwright-bench-'));
  closing.defer(() => rm(folder, { recursive: true, force: true }));
  const dockerConfig = await writeDockerConfig(folder, front.host, stack.robot);
  const label = `admission-${Date.now().toString(36)}`;
  const making = { stack, api, registry, label, layouts: plan.layouts };
  console.log(`making ${imagesNeeded(plan.counts)} images with evidence`);
  const made = await makeAttestedImages(imagesNeeded(plan.counts), making);
  // Pods name the image by the front's name, so that the webhook's requests are counted.
  const throughFront = ({ ref }: PushedImage): string => `${front.host}${ref.slice(ref.indexOf('/'))}`;
  const images = made.map(throughFront);
  const unsigned = throughFront(await pushUnsignedImage(making));
  const policy = closing.use(await applyRunbookPolicy({ stack, api, label, glob: `${front.host}/**` }));
  const namespace = await createNamespace(api, 'bench');
  closing.defer(() => deleteNamespace(api, namespace));
  const parts = { stack, api, front, dockerConfig, namespace, images, unsigned, counts: plan.counts };
  const measured = new Map<Contender, Round[]>();
  for (let at = 0; at < plan.rounds; at += 1) {
    for (const contender of plan.chosen) {
      const round = await measureRound(contender, { ...parts, ...policy.names });
      measured.set(contender, [...(measured.get(contender) ?? []), round]);
      for (const [phase, one] of round.phases) {
        console.log(`${contender.name} ${phase}: ${JSON.stringify(phaseFigures(one))}`);
      }
    }
  }
  report(plan, machine, new Map([...measured].map(([contender, rounds]) => [contender, figuresOf(rounds)])));
}

function readPlan(): Plan {
  const { values } = parseArgs({
    options: {
      images: { type: 'string' },
      known: { type: 'string' },
      rounds: { type: 'string', default: '1' },
      only: { type: 'string', default: contenders.map(({ name }) => name).join(',') },
      layouts: { type: 'string', default: 'both' },
      quick: { type: 'boolean', default: false },
    },
  });
  const names = values.only.split(',');
  const unknown = names.filter((name) => !contenders.some((contender) => contender.name === name));
  if (unknown.length > 0) throw new Error(`unknown contender: ${unknown.join(', ')}`);
  if (!['both', 'tags'].includes(values.layouts)) throw new Error('--layouts must be both or tags');
  const usual = values.quick ? '40' : '400';
  const images = parseCount('images', values.images ?? usual);
  const quarter = Math.max(1, Math.floor(images / 4));
  return {
    counts: {
      fresh: [quarter, quarter, Math.max(1, images - 2 * quarter)],
      known: parseCount('known', values.known ?? usual),
      warmUp: values.quick ? 5 : 20,
    },
    rounds: parseCount('rounds', values.rounds),
    chosen: contenders.filter(({ name }) => names.includes(name)),
    layouts: { tags: true, referrers: values.layouts === 'both' },
  };
}

function parseCount(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${flag} must be a number from 1`);
  return value;
}

interface Figures {
  readonly phases: Readonly<Record<string, PhaseFigures>>;
  readonly peakRssMiB: number;
}

function figuresOf(rounds: readonly Round[]): Figures {
  const names = [...(rounds[0]?.phases.keys() ?? [])];
  const phases = names.map((name) => {
    const parts = rounds.flatMap((round) => round.phases.get(name) ?? []);
    return [name, phaseFigures(poolPhases(parts))] as const;
  });
  const peak = Math.max(...rounds.map(({ peakRssBytes }) => peakRssBytes));
  return { phases: Object.fromEntries(phases), peakRssMiB: rounded(peak / 1024 ** 2) };
}

function report(plan: Plan, machine: object, figures: ReadonlyMap<Contender, Figures>): void {
  console.log(`\n${table(figures)}\n`);
  const of = (side: Contender['side']): Figures | undefined =>
    [...figures].find(([contender]) => contender.side === side)?.[1];
  const [ours, peer] = [of('ours'), of('peer')];
  console.log(
    JSON.stringify({
      bench: 'admission',
      counts: plan.counts,
      rounds: plan.rounds,
      layouts: plan.layouts,
      machine: { ...machine, loadAfter: loadavg()[0] ?? 0 },
      ours,
      peer: { name: 'policy-controller', version: policyControllerVersion, ...peer },
      ratio: ours === undefined || peer === undefined ? {} : ratios(ours, peer),
    }),
  );
}

function ratios(ours: Figures, peer: Figures): object {
  const phases = Object.entries(ours.phases).map(([name, one]) => {
    const other = peer.phases[name];
    return [name, other === undefined ? {} : phaseRatios(one, other)] as const;
  });
  return { phases: Object.fromEntries(phases), peakRssMiB: rounded(ours.peakRssMiB / peer.peakRssMiB) };
}

/** A line for each phase and contender. */
function table(figures: ReadonlyMap<Contender, Figures>): string {
  const columns: readonly (keyof PhaseFigures)[] = [
    'p50Milliseconds',
    'p99Milliseconds',
    'podsPerSecond',
    'cpuMillisecondsPerPod',
    'registryRequestsPerPod',
    'wrong',
  ];
  const line = (name: string, cells: readonly string[]): string =>
    [name.padEnd(30), ...cells.map((cell) => cell.padStart(23))].join('');
  const phases = new Set([...figures.values()].flatMap((one) => Object.keys(one.phases)));
  return [
    line('', columns),
    ...[...phases].flatMap((phase) =>
      [...figures].map(([{ name }, one]) =>
        line(
          `${phase} ${name}`,
          columns.map((column) => String(one.phases[phase]?.[column] ?? '')),
        ),
      ),
    ),
    ...[...figures].map(([{ name }, { peakRssMiB }]) => line(`peak RSS ${name}`, [`${peakRssMiB} MiB`])),
  ].join('\n');
}

await main();
