import { Command, Option } from 'commander';
import PQueue from 'p-queue';
import { KubeClient } from '../../kube/kube-client.ts';
import { ExceptionRegister } from '../../policy/exception-register.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import type { CommandContext } from '../command-context.ts';
import { exitCodes } from '../exit-code.ts';
import { openCluster } from '../wiring/cluster.ts';
import { readJudgingSettings } from '../wiring/judging-settings.ts';
import { openImpactJudging } from './impact/impact-judging.ts';
import { renderImpact } from './impact/impact-page.ts';
import { comparePolicies, readImpactPolicies } from './impact/impact-policies.ts';
import type { ComparedPolicies } from './impact/impact-policies.ts';
import { openCountedProgress } from '../wiring/counted-progress.ts';
import { countImpact } from './impact/impact-report.ts';
import type { ImpactReport } from './impact/impact-report.ts';
import { judgeImpact } from './impact/impact-rows.ts';
import type { WorkloadImpact } from './impact/impact-rows.ts';
import { judgeSafety } from './impact/impact-safety.ts';
import { formatImpact } from './impact/impact-text.ts';
import { judgePast, readPast } from './impact/past-decisions.ts';
import type { PastDecisions } from './impact/past-decisions.ts';
import { listWorkloads } from './impact/running-workloads.ts';
import type { NamespaceChoice, RunningWorkloads } from './impact/running-workloads.ts';
import { openDispatchers } from './open-references.ts';
import { openPolicyCompiling } from './policy-compiling.ts';
import { readPolicyFiles } from './policy-files.ts';
import { usageFault } from './usage-fault.ts';

interface ImpactFlags {
  readonly filename: readonly string[];
  readonly namespace?: readonly string[];
  readonly allNamespaces?: boolean;
  readonly webhookName: string;
  readonly policyNamespace: string;
  readonly only?: boolean;
  readonly events?: boolean;
  readonly days: string;
  readonly trustedRoot?: string;
  readonly config?: string;
  readonly output: 'table' | 'json' | 'html';
}

/** Workloads judged at once; each may ask registries for several images. */
const concurrency = 8;
const dayMs = 86_400_000;

/** `chainwright policy impact`. */
export function impactCommand(context: CommandContext): Command {
  return new Command('impact')
    .description('tell what would be denied of what runs in the cluster, if policies enforced')
    .requiredOption(
      '-f, --filename <file...>',
      'YAML or JSON with ClusterImagePolicies and what they refer to; - is standard input',
    )
    .option('-n, --namespace <name...>', 'namespaces to look into; else those that the webhook is called for')
    .option('-A, --all-namespaces', 'look into every namespace')
    .option('--webhook-name <name>', 'name of the ValidatingWebhookConfiguration', 'chainwright')
    .option('--policy-namespace <name>', 'where the Secrets and ConfigMaps of policies lie', 'tekton-chains')
    .option('--only', 'leave the cluster’s own policies out')
    .option('--events', 'look at what was denied and warned of lately, too')
    .option('--days <count>', 'how far back --events looks', '7')
    .option('--trusted-root <file>', 'trusted_root.json for policies that name no TrustRoot')
    .option('--config <file>', 'file with a ChainwrightConfig object, instead of the cluster’s')
    .addOption(
      new Option('-o, --output <format>', 'how the result is printed')
        .choices(['table', 'json', 'html'])
        .default('table'),
    )
    .addHelpText(
      'after',
      `
The given policies are judged as if they enforced, whatever their mode; they stand in for those of the same name in the
cluster, whose other policies and ImagePolicyExceptions count as they are. Nothing in the cluster is changed.
Exit code 1 if a workload would be denied or nothing could be found out about it, 2 for a wrong policy, 3 if the cluster
could not be reached.

Examples:
  chainwright policy impact -f policy.yaml
  chainwright policy impact -f policy.yaml --all-namespaces --events --output html > impact.html
  chainwright policy impact -f policy.yaml -n shop -o json | jq '.pods[] | select(.outcome == "denied")'`,
    )
    .action(async (flags: ImpactFlags) => {
      const report = await findImpact(flags, context);
      process.stdout.write(printed(report, flags.output));
      const { workloadsDenied, workloadsUnknown } = report.totals;
      if (workloadsDenied + workloadsUnknown > 0) process.exitCode = exitCodes.checkFailed;
    });
}

function printed(report: ImpactReport, output: ImpactFlags['output']): string {
  switch (output) {
    case 'json':
      return `${JSON.stringify(report, undefined, 2)}\n`;
    case 'html':
      return renderImpact(report);
    case 'table':
      return formatImpact(report);
  }
}

async function findImpact(
  flags: ImpactFlags,
  { environment, signal }: CommandContext,
): Promise<ImpactReport> {
  const choice = choiceOf(flags);
  const since = sinceOf(flags);
  const files = await readPolicyFiles(flags.filename, { signal });
  await using closing = new AsyncDisposableStack();
  const access = await openCluster(environment, systemClock, { signal });
  const client = closing.use(new KubeClient({ access, clock: systemClock }));
  const settings = await readJudgingSettings({ configFile: flags.config, environment }, client, signal);
  const read = await readImpactPolicies(files, client, { namespace: flags.policyNamespace, signal });
  const { trustedRoot } = flags;
  const { references, asked } = read;
  const { compile } = openPolicyCompiling({
    settings,
    environment,
    trustedRoot,
    references,
    signal,
    closing,
  });
  const compared = await comparePolicies(read, files, { compile, onlyGiven: flags.only === true });
  const running = await listWorkloads(client, choice, signal);
  const exceptions = new ExceptionRegister();
  for (const exception of read.cluster.exceptions) exceptions.put(exception);
  const dispatchers = closing.use(await openDispatchers({ settings, environment }));
  const judging = openImpactJudging({ settings, environment, client, dispatchers, exceptions });
  const parts = { client, judge: judging.judge };
  const impacts = await judgeAll(running, compared, { parts, signal });
  const told = since === undefined ? undefined : await pastOf(running, compared, { ...parts, since, signal });
  const findings = impacts.flatMap(({ rows }) => rows);
  const pods = impacts.flatMap((impact) => impact.pods);
  const totals = countImpact(findings, pods);
  const names = new Set(asked.map(({ name }) => name));
  return {
    policies: asked,
    besides: compared.then.policies.map(({ compiled }) => compiled.name).filter((name) => !names.has(name)),
    at: systemClock.now().toISOString(),
    namespaces: running.namespaces,
    totals,
    safety: judgeSafety(asked, totals, since && told && { ...told, since }),
    findings,
    pods,
    ...(told === undefined ? {} : { past: told.past }),
    registryRequests: judging.requests(),
  };
}

function choiceOf({ namespace, allNamespaces = false, webhookName }: ImpactFlags): NamespaceChoice {
  if (namespace === undefined) return allNamespaces ? { kind: 'all' } : { kind: 'enforced', webhookName };
  if (!allNamespaces) return { kind: 'named', names: namespace };
  throw usageFault('--namespace and --all-namespaces exclude each other', 'Give the one that is meant.');
}

function sinceOf({ events = false, days }: ImpactFlags): Date | undefined {
  if (!/^[1-9]\d{0,2}$/.test(days)) {
    throw usageFault(`"${days.slice(0, 40)}" is no count of days`, 'Write 1 to 999 in --days.');
  }
  return events ? new Date(systemClock.now().getTime() - Number(days) * dayMs) : undefined;
}

async function judgeAll(
  { workloads }: RunningWorkloads,
  compared: ComparedPolicies,
  { parts, signal }: { readonly parts: Parameters<typeof judgeImpact>[2]; readonly signal: AbortSignal },
): Promise<readonly WorkloadImpact[]> {
  const progress = await openCountedProgress(
    process.stderr,
    'judging {bar} {value} of {total} workloads',
    workloads.length,
  );
  const queue = new PQueue({ concurrency });
  try {
    const works = workloads.map((workload) => async () => {
      const impact = await judgeImpact(workload, compared, parts, signal);
      progress.step();
      return impact;
    });
    return await queue.addAll(works, { signal });
  } finally {
    queue.clear();
    progress.stop();
  }
}

async function pastOf(
  { namespaces }: RunningWorkloads,
  { then }: ComparedPolicies,
  parts: Parameters<typeof judgeImpact>[2] & {
    readonly client: KubeClient;
    readonly since: Date;
    readonly signal: AbortSignal;
  },
): Promise<PastDecisions> {
  return judgePast(await readPast(parts.client, namespaces, parts), then, parts);
}
