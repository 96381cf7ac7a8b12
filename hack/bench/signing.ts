/**
 * Compares us with the real Tekton Chains controller on the local stack, in one run, alternating: a burst of completed
 * TaskRuns with one image each, then some one at a time; and both with a bare load generator that makes only the calls that
 * cannot be avoided. Ours runs from its image's file system, as in a Pod. The last line is JSON; ratios are ours/peer and
 * ours/bare.
 *
 *   node hack/bench/signing.ts [--runs 500] [--singles 10] [--rounds 1] [--only tags-sbom,default]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chainsVersion } from '../../test/support/chains-process.ts';
import { KubeApi } from '../../test/support/kube-api.ts';
import { RegistrySession } from '../../test/support/registry-session.ts';
import { checkout } from '../../test/support/chainwright-process.ts';
import { imageLayers } from '../image/contents.ts';
import { writeRoot } from '../image/root-folder.ts';
import { openStack } from '../stack/stack.ts';
import { measureBurst } from './burst.ts';
import type { Contender } from './contenders.ts';
import { contenders } from './contenders.ts';
import { openCountingFront, writeDockerConfig } from './counting-front.ts';
import type { Figures, Measurement } from './figures.ts';
import { figuresOf, pool, ratios, table } from './figures.ts';

interface Plan {
  readonly runs: number;
  readonly singles: number;
  readonly rounds: number;
  readonly chosen: readonly Contender[];
}

async function main(): Promise<void> {
  const plan = readPlan();
  // Ratios travel from machine to machine, but not from a busy one: who reads the figures must be able to tell.
  const machine = { cpus: availableParallelism(), loadBefore: loadavg()[0] ?? 0 };
  const stack = await openStack();
  await using api = await KubeApi.open(stack.kubeconfig);
  await using registry = await RegistrySession.open({ ca: stack.ca, account: stack.robot });
  await using front = await openCountingFront();
  const folder = await mkdtemp(join(tmpdir(), 'chainwright-bench-'));
  try {
    const dockerConfig = await writeDockerConfig(join(folder, 'docker'), front.host, stack.robot);
    const root = join(folder, 'root');
    await writeRoot(root, await imageLayers(checkout));
    const { runs, singles } = plan;
    const ground = { stack, api, registry, front, dockerConfig, root, runs, singles };
    const measured = new Map<Contender, Measurement[]>();
    for (let round = 0; round < plan.rounds; round += 1) {
      for (const contender of plan.chosen) {
        const label = `${Date.now().toString(36)}-${contender.name}`;
        const measurement = await measureBurst(contender, { ...ground, label });
        measured.set(contender, [...(measured.get(contender) ?? []), measurement]);
        const { runsPerSecond, unsigned } = figuresOf(measurement);
        console.log(`${contender.side} ${contender.name}: ${runsPerSecond} runs/s, ${unsigned} not signed`);
      }
    }
    report(
      { ...plan, machine },
      new Map([...measured].map(([contender, parts]) => [contender, figuresOf(pool(parts))])),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function readPlan(): Plan {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '500' },
      singles: { type: 'string', default: '10' },
      rounds: { type: 'string', default: '1' },
      only: { type: 'string', default: contenders.map(({ name }) => name).join(',') },
    },
  });
  const names = values.only.split(',');
  const unknown = names.filter((name) => !contenders.some((contender) => contender.name === name));
  if (unknown.length > 0) throw new Error(`unknown contender: ${unknown.join(', ')}`);
  const count = (name: 'runs' | 'singles' | 'rounds'): number => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be a number from 1`);
    return value;
  };
  return {
    runs: count('runs'),
    singles: count('singles'),
    rounds: count('rounds'),
    chosen: contenders.filter(({ name }) => names.includes(name)),
  };
}

function report(
  { runs, machine }: Plan & { readonly machine: object },
  figures: ReadonlyMap<Contender, Figures>,
): void {
  const named = [...figures].map(([{ side, name }, one]) => [`${side} ${name}`, one] as const);
  console.log(`\n${table(new Map(named))}\n`);
  const of = (side: Contender['side']): [string, Figures][] =>
    [...figures].filter(([contender]) => contender.side === side).map(([{ name }, one]) => [name, one]);
  const ratio = of('ours').flatMap(([ours, one]) =>
    [...of('peer'), ...of('bare')].map(
      ([other, figure]) => [`${ours}/${other}`, ratios(one, figure)] as const,
    ),
  );
  console.log(
    JSON.stringify({
      bench: 'signing',
      runs,
      machine,
      ours: Object.fromEntries(of('ours')),
      peer: { name: 'tekton-chains', version: chainsVersion, ...Object.fromEntries(of('peer')) },
      bare: Object.fromEntries(of('bare')),
      ratio: Object.fromEntries(ratio),
    }),
  );
}

await main();
