import { Command, Option } from 'commander';
import { alarmKinds } from '../monitor/alarm.ts';
import { createMonitorMetrics } from '../telemetry/monitor-metrics.ts';
import { systemClock } from '../telemetry/system-clock.ts';
import type { CommandContext } from './command-context.ts';
import { runClusterMonitor } from './monitor/cluster-monitor.ts';
import { runFlagMonitor } from './monitor/flag-monitor.ts';
import {
  describesMonitor,
  parseDuration,
  parseIndex,
  settingsOfFlags,
  watchedSignersOf,
} from './monitor/monitor-flags.ts';
import type { MonitorFlags } from './monitor/monitor-flags.ts';
import { openProcessLog } from './wiring/process-log.ts';
import { readSettings } from './wiring/settings.ts';
import { packageVersion } from './wiring/version.ts';

/** `chainwright monitor`. */
export function monitorCommand(context: CommandContext): Command {
  return new Command('monitor')
    .description('read transparency logs, and raise an alarm when somebody signs as us')
    .option('--config <file>', 'file with a ChainwrightConfig object')
    .option('--log-url <url>', 'address of the log')
    .addOption(
      new Option('--log-api-version <1|2>', 'Rekor v1, or v2 (tiles)').choices(['1', '2']).default('1'),
    )
    .option('--trusted-root <file>', 'trusted_root.json with the key of the log')
    .option('--identity <subject...>', 'subject of our certificates', [])
    .option('--identity-regexp <expression...>', 'the same as an RE2 expression, found anywhere', [])
    .option('--issuer <url>', 'only certificates in which this issuer vouches for the subject')
    .option('--key <file|k8s://NS/NAME...>', 'our public keys', [])
    .option('--state <file>', 'where it is kept how far the log was read')
    .option(
      '--start-index <index>',
      'where to begin without a state; the end of the log if absent',
      parseIndex,
    )
    .addOption(durationOption('--interval <duration>', 'pause between two looks at the log', '10s'))
    .addOption(durationOption('--grace <duration>', 'how long an entry may be without record', '0s'))
    .addOption(durationOption('--missing-after <duration>', 'how long an entry of ours may be missing', '5m'))
    .addOption(durationOption('--unreachable-after <duration>', 'how long the log may be away', '10m'))
    .option('--namespace <name>', 'namespace that the monitor lives in', 'chainwright-monitor')
    .option('--once', 'read to the end of the log, then exit: 1 if there was an alarm')
    .option('--no-cluster', 'take no SigningRecords from a cluster: every entry in our name is an alarm')
    .option('--metrics-address <host:port>', 'where /metrics, /healthz and /readyz are served')
    .option('--log-level <level>', 'debug, info, warn or error')
    .addHelpText(
      'after',
      `
Without --log-url and anybody to watch for it follows what the LogMonitor objects of the cluster describe; of several replicas one works.

Examples:
  chainwright monitor --config chainwright.yaml
  chainwright monitor --log-url https://rekor.golems.internal --trusted-root trusted_root.json --state /state/monitor.json \\
    --identity https://kubernetes.golems.internal/namespaces/tekton-chains/serviceaccounts/tekton-chains-controller
  KUBECONFIG=admin.conf chainwright monitor --once --start-index 0 --identity-regexp tekton-chains-controller$`,
    )
    .action(async (flags: MonitorFlags) => {
      await runMonitor(flags, context);
    });
}

function durationOption(flags: string, description: string, initial: string): Option {
  return new Option(flags, description).argParser(parseDuration).default(parseDuration(initial), initial);
}

async function runMonitor(flags: MonitorFlags, { environment, signal }: CommandContext): Promise<void> {
  const isByFlags = describesMonitor(flags);
  const signers = isByFlags ? await watchedSignersOf(flags, { environment, signal }) : undefined;
  const given = { configFile: flags.config, flags: settingsOfFlags(flags), environment };
  const { settings } = await readSettings(given);
  await using closing = new AsyncDisposableStack();
  const log = openProcessLog(settings, environment);
  closing.defer(() => log.close());
  const metrics = createMonitorMetrics({ version: packageVersion(), alarms: alarmKinds });
  metrics.watchGelf(() => log.gelf());
  const common = { settings, environment, metrics, log, signal, closing, clock: systemClock };
  if (signers === undefined) await runClusterMonitor({ ...common, namespace: flags.namespace });
  else await runFlagMonitor({ ...common, flags, signers });
}
