import { Command } from 'commander';
import { KubeClient } from '../kube/kube-client.ts';
import type { RunFacts } from '../settings/policy-selection.ts';
import { resolveSettings } from '../settings/resolution.ts';
import { systemClock } from '../telemetry/system-clock.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-code.ts';
import { usageFault } from './policy/usage-fault.ts';
import { parseChainsConfig } from './settings/chains-config-document.ts';
import { readChainsData, readPolicies, readSettingsObject } from './settings/cluster-settings.ts';
import { convertChainsConfig, formatConverted } from './settings/converted-chains-config.ts';
import { formatShown, showSettings } from './settings/shown-settings.ts';
import { openCluster } from './wiring/cluster.ts';
import { readInput } from './wiring/input-file.ts';
import { formatOutput, outputOption } from './wiring/output-format.ts';
import type { OutputFormat } from './wiring/output-format.ts';
import { readSettingsSources } from './wiring/settings.ts';

interface ShowFlags {
  readonly cluster?: boolean;
  readonly config?: string;
  readonly namespace: string;
  readonly for?: string;
  readonly pipeline?: string;
  readonly task?: string;
  readonly label: readonly string[];
  readonly all?: boolean;
  readonly output: OutputFormat;
}

interface ConvertFlags {
  readonly filename?: string;
  readonly cluster?: boolean;
  readonly namespace: string;
}

/** `chainwright settings`. */
export function settingsCommand(context: CommandContext): Command {
  return new Command('settings')
    .description('show what settings hold and where each comes from; turn a chains-config into an object')
    .addCommand(showCommand(context).exitOverride())
    .addCommand(convertCommand(context).exitOverride());
}

function showCommand(context: CommandContext): Command {
  return new Command('show')
    .description('print the settings that hold, and the source of each field')
    .option('--cluster', 'read ChainwrightConfig, chains-config and SigningPolicies of the cluster')
    .option(
      '--config <file>',
      'file with a ChainwrightConfig object, which stands in for that of the cluster',
    )
    .option('-n, --namespace <name>', 'namespace of the controller and of chains-config', 'tekton-chains')
    .option('--for <namespace>', 'what holds for runs of this namespace, by its SigningPolicies')
    .option('--pipeline <name>', 'with --for: runs of this pipeline')
    .option('--task <name>', 'with --for: runs of this task')
    .option('--label <key=value...>', 'with --for: runs with these labels', [])
    .option('--all', 'settings that have their default, too')
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Flags and environment of the controller are not known here: kubectl get chainwrightconfig default -o yaml shows what is in force there.
Exit code 2 if the settings cannot be used; the faults are listed.

Examples:
  chainwright settings show --cluster
  chainwright settings show --cluster --for team-a --pipeline release
  chainwright settings show --config chainwright.yaml --all`,
    )
    .action(async (flags: ShowFlags) => {
      await show(flags, context);
    });
}

async function show(flags: ShowFlags, { environment, signal }: CommandContext): Promise<void> {
  const run = runOf(flags);
  await using closing = new AsyncDisposableStack();
  const sources = await readSettingsSources({ configFile: flags.config, environment });
  const cluster = flags.cluster === true ? await openReader(closing, { environment, signal }) : undefined;
  const object =
    cluster === undefined || flags.config !== undefined ? undefined : await readSettingsObject(cluster);
  const chainsConfig = cluster === undefined ? undefined : await readChainsData(cluster, flags.namespace);
  const { policies, unreadable } =
    cluster === undefined || run === undefined
      ? { policies: [], unreadable: [] }
      : await readPolicies(cluster, run.namespace);
  for (const name of unreadable)
    process.stderr.write(`SigningPolicy ${run?.namespace ?? ''}/${name} cannot be read\n`);
  const resolved = resolveSettings({
    ...sources,
    ...(object === undefined ? {} : { object }),
    ...(chainsConfig === undefined ? {} : { chainsConfig }),
  });
  const shown = showSettings(resolved, { all: flags.all === true, run, policies });
  process.stdout.write(formatOutput(shown, flags.output, () => formatShown(shown)));
}

function runOf({ for: namespace, pipeline, task, label, cluster }: ShowFlags): RunFacts | undefined {
  if (namespace === undefined) {
    if (pipeline === undefined && task === undefined && label.length === 0) return undefined;
    throw usageFault('--pipeline, --task and --label need --for', 'Name the namespace of the run in --for.');
  }
  if (cluster !== true)
    throw usageFault('--for needs --cluster', 'The SigningPolicies are read from the cluster.');
  const labels = Object.fromEntries(label.map((text) => parseLabel(text)));
  return { namespace, labels, pipeline, task };
}

function parseLabel(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw usageFault(`"${text}" is no label`, 'Write KEY=VALUE.');
}

function convertCommand(context: CommandContext): Command {
  return new Command('convert')
    .description('print the ChainwrightConfig that says what a chains-config of Tekton Chains says')
    .option('-f, --filename <file>', 'the ConfigMap in YAML or JSON, or its data alone; - is standard input')
    .option('--cluster', 'read it from the cluster')
    .option('-n, --namespace <name>', 'its namespace in the cluster', 'tekton-chains')
    .addHelpText(
      'after',
      `
What cannot be honoured, has no effect or is unknown stands above the object as a comment. Exit code 1 if a value cannot be honoured:
decide the field that the comment names.

Examples:
  chainwright settings convert --cluster > chainwright.yaml
  kubectl -n tekton-chains get configmap chains-config -o yaml | chainwright settings convert -f -`,
    )
    .action(async (flags: ConvertFlags) => {
      await convert(flags, context);
    });
}

async function convert(flags: ConvertFlags, { environment, signal }: CommandContext): Promise<void> {
  const { filename, cluster, namespace } = flags;
  if ((filename === undefined) === (cluster !== true)) {
    throw usageFault('one of --filename and --cluster is needed', 'Say where the chains-config comes from.');
  }
  await using closing = new AsyncDisposableStack();
  const data =
    filename === undefined
      ? await readChainsData(await openReader(closing, { environment, signal }), namespace)
      : parseChainsConfig(await readInput(filename, { signal }), filename);
  if (data === undefined) {
    throw usageFault(
      `there is no ConfigMap ${namespace}/chains-config`,
      'Name its namespace in --namespace.',
    );
  }
  const converted = convertChainsConfig(data);
  process.stdout.write(formatConverted(converted));
  if (converted.refused.length > 0) process.exitCode = exitCodes.checkFailed;
}

async function openReader(
  closing: AsyncDisposableStack,
  { environment, signal }: CommandContext,
): Promise<{ readonly client: KubeClient; readonly signal: AbortSignal }> {
  const access = await openCluster(environment, systemClock, { signal });
  return { client: closing.use(new KubeClient({ access, clock: systemClock })), signal };
}
