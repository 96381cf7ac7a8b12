import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { KubeClient } from '../kube/kube-client.ts';
import { resolveSettings } from '../settings/resolution.ts';
import type { Settings } from '../settings/settings-schema.ts';
import { systemClock } from '../telemetry/system-clock.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-code.ts';
import { openBackfill } from './backfill/open-backfill.ts';
import { openCountedProgress } from './wiring/counted-progress.ts';
import { selectRuns } from './backfill/select-runs.ts';
import type { UnsignedRun } from './backfill/select-runs.ts';
import { withShares } from './backfill/with-shares.ts';
import { workOff } from './backfill/work-off.ts';
import type { BackfilledRun } from './backfill/work-off.ts';
import { usageFault } from './policy/usage-fault.ts';
import { readChainsData, readSettingsObject } from './settings/cluster-settings.ts';
import { openCluster } from './wiring/cluster.ts';
import { formatOutput, outputOption } from './wiring/output-format.ts';
import type { OutputFormat } from './wiring/output-format.ts';
import { openProcessLog } from './wiring/process-log.ts';
import { readSettingsSources } from './wiring/settings.ts';
import { formatTable } from './wiring/table.ts';

interface BackfillFlags {
  readonly namespace: readonly string[];
  readonly selector?: string;
  readonly since?: Date;
  readonly until?: Date;
  readonly dryRun?: boolean;
  readonly concurrency: number;
  readonly config?: string;
  readonly trustedRoot?: string;
  readonly controllerNamespace: string;
  readonly serviceAccount: string;
  readonly output: OutputFormat;
}

const maxConcurrency = 64;

/** `chainwright backfill`. */
export function backfillCommand(context: CommandContext): Command {
  return new Command('backfill')
    .description('sign runs that completed while no controller was watching')
    .option('-n, --namespace <name...>', 'namespaces of the runs; absent: all that the settings sign', [])
    .option('-l, --selector <labels>', 'runs with these labels, as kubectl takes them')
    .option('--since <time>', 'runs that ended at or after this time, RFC 3339', parseTime)
    .option('--until <time>', 'runs that ended before this time, RFC 3339', parseTime)
    .option('--dry-run', 'list the runs, and sign nothing')
    .option('--concurrency <number>', 'runs in work at once', parseConcurrency, 8)
    .option('--config <file>', 'file with a ChainwrightConfig object, instead of that of the cluster')
    .option('--trusted-root <file>', 'trusted_root.json of the Sigstore instance in use')
    .option('--controller-namespace <name>', 'namespace that the controller lives in', 'tekton-chains')
    .option(
      '--service-account <name>',
      'its ServiceAccount, in whose name is signed',
      'tekton-chains-controller',
    )
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Runs are signed as the controller signs them: by settings and SigningPolicies, with SigningRecord, annotations and Events. Stopped or killed,
it is started again: what is done is not done twice. Where a controller runs there is nothing to do: it signs what it finds unsigned.
--dry-run leaves out runs that say they were left unsigned on purpose (chainwright.dev/result: skipped). Without it they are looked
at all the same, and signed if settings and policies want it now.
Exit code 1 if a run cannot be signed, 3 if some have to wait for a server.

Examples:
  chainwright backfill --since 2026-03-01T00:00:00Z --dry-run
  chainwright backfill --namespace team-a --selector tekton.dev/pipeline=release --trusted-root trusted_root.json`,
    )
    .action(async (flags: BackfillFlags) => {
      await runBackfill(flags, context);
    });
}

async function runBackfill(flags: BackfillFlags, context: CommandContext): Promise<void> {
  const { signal, environment } = context;
  const clock = systemClock;
  await using closing = new AsyncDisposableStack();
  const access = await openCluster(environment, clock, { signal });
  const client = closing.use(new KubeClient({ access, clock }));
  const settings = await readSettingsInForce(flags, { client, environment, signal });
  const { selector: labelSelector, since, until } = flags;
  const { managedBy } = settings.controller;
  const selection = {
    ...{ namespaces: namespacesOf(flags, settings), labelSelector, since, until, managedBy },
    withSkipped: flags.dryRun !== true,
  };
  const runs = await selectRuns(selection, { client, signal });
  if (flags.dryRun === true || runs.length === 0) {
    process.stdout.write(formatOutput({ runs }, flags.output, () => listText(runs)));
    return;
  }
  const log = openProcessLog(
    { ...settings, telemetry: { ...settings.telemetry, logLevel: 'error' } },
    environment,
  );
  closing.defer(() => log.close());
  const account = { namespace: flags.controllerNamespace, name: flags.serviceAccount };
  const backfill = await openBackfill({
    environment,
    client,
    settings,
    account,
    log,
    clock,
    signal,
    closing,
  });
  const done = await withShares(backfill.shares, { clock, signal }, async () => {
    const progress = await openCountedProgress(
      process.stderr,
      'signing {bar} {percentage}% | {value} of {total} runs | {eta_formatted} left',
      runs.length,
    );
    try {
      const { concurrency } = flags;
      return await workOff(runs, { ...backfill, client, concurrency, clock, signal, onDone: progress.step });
    } finally {
      progress.stop();
    }
  });
  const result = done ?? runs.map(({ key }) => ({ run: key, outcome: 'left' as const, message: controlled }));
  process.stdout.write(formatOutput({ runs: result }, flags.output, () => resultText(result)));
  process.exitCode = exitCodeOf(result);
}

const controlled = 'a controller runs, which signs it';

async function readSettingsInForce(
  { config, trustedRoot, controllerNamespace }: BackfillFlags,
  {
    client,
    environment,
    signal,
  }: Pick<CommandContext, 'environment' | 'signal'> & { readonly client: KubeClient },
): Promise<Settings> {
  const flags = trustedRoot === undefined ? {} : { trustedRoot: { file: resolve(trustedRoot) } };
  const sources = await readSettingsSources({ configFile: config, flags, environment });
  const object = config === undefined ? await readSettingsObject({ client, signal }) : undefined;
  const chainsConfig = await readChainsData({ client, signal }, controllerNamespace);
  return resolveSettings({
    ...sources,
    ...(object === undefined ? {} : { object }),
    ...(chainsConfig === undefined ? {} : { chainsConfig }),
  }).settings;
}

function namespacesOf({ namespace }: BackfillFlags, { controller }: Settings): readonly string[] {
  const { namespaces: signed } = controller;
  const foreign = namespace.find((name) => signed.length > 0 && !signed.includes(name));
  if (foreign !== undefined) {
    throw usageFault(`the settings leave ${foreign} unsigned`, 'Add it to controller.namespaces.');
  }
  return namespace.length > 0 ? namespace : signed;
}

function exitCodeOf(done: readonly BackfilledRun[]): number {
  if (done.some(({ outcome }) => outcome === 'failed')) return exitCodes.checkFailed;
  return done.some(({ outcome }) => outcome === 'delayed') ? exitCodes.unreachable : exitCodes.good;
}

function listText(runs: readonly UnsignedRun[]): string {
  if (runs.length === 0) return 'no run is unsigned\n';
  const rows = runs.map(({ key, completedAt }) => [key, completedAt]);
  return `${formatTable(['RUN', 'COMPLETED'], rows)}\n${runs.length} to be signed\n`;
}

function resultText(done: readonly BackfilledRun[]): string {
  const counts = Map.groupBy(done, ({ outcome }) => outcome);
  const odd = done.filter(({ outcome }) => outcome !== 'signed' && outcome !== 'nothing-to-sign');
  const rows = odd.map(({ run, outcome, message = '' }) => [run, outcome, message]);
  const summary = [...counts].map(([outcome, { length }]) => `${length} ${outcome}`).join(', ');
  return `${odd.length === 0 ? '' : `${formatTable(['RUN', 'OUTCOME', 'WHY'], rows)}\n`}${summary}\n`;
}

function parseTime(text: string): Date {
  const time = new Date(text);
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(time.getTime())) return time;
  throw new InvalidArgumentError('Write a time as 2026-03-01T00:00:00Z.');
}

function parseConcurrency(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= maxConcurrency) return number;
  throw new InvalidArgumentError(`Write a number from 1 to ${maxConcurrency}.`);
}
