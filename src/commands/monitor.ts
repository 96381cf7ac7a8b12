import { Command, Option } from 'commander';
import type { IntentSource } from '../monitor/intent-watch.ts';
import type { LogMonitor } from '../monitor/log-monitor.ts';
import { startHealthServer } from '../telemetry/health-server.ts';
import { createMonitorMetrics } from '../telemetry/monitor-metrics.ts';
import { systemClock } from '../telemetry/system-clock.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-code.ts';
import { parseDuration, parseIndex, settingsOfFlags, watchedSignersOf } from './monitor/monitor-flags.ts';
import type { MonitorFlags } from './monitor/monitor-flags.ts';
import { createMonitor } from './monitor/monitor-wiring.ts';
import { openProcessLog } from './wiring/process-log.ts';
import { readSettings } from './wiring/settings.ts';
import { packageVersion } from './wiring/version.ts';

/** `chainwright monitor`. */
export function monitorCommand(context: CommandContext): Command {
  return new Command('monitor')
    .description('read the transparency log, and raise an alarm when somebody signs as us')
    .option('--config <file>', 'file with a ChainwrightConfig object')
    .option('--log-url <url>', 'address of the log (Rekor v1)')
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
    .addOption(durationOption('--unreachable-after <duration>', 'how long the log may be away', '10m'))
    .option('--once', 'read to the end of the log, then exit: 1 if there was an alarm')
    .option('--no-cluster', 'take no SigningRecords from a cluster: every entry in our name is an alarm')
    .option('--metrics-address <host:port>', 'where /metrics, /healthz and /readyz are served')
    .option('--log-level <level>', 'debug, info, warn or error')
    .addHelpText(
      'after',
      `
Examples:
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
  const signers = await watchedSignersOf(flags, { environment, signal });
  const given = { configFile: flags.config, flags: settingsOfFlags(flags), environment };
  const { settings } = await readSettings(given);
  await using closing = new AsyncDisposableStack();
  const log = openProcessLog(settings, environment);
  closing.defer(() => log.close());
  const metrics = createMonitorMetrics({ version: packageVersion() });
  metrics.watchGelf(() => log.gelf());
  const common = { flags, settings, signers, environment, metrics, log, signal, closing };
  const { monitor, source } = await createMonitor({ ...common, clock: systemClock });
  if (flags.once === true) {
    await passOnce(monitor, source, signal);
    log.info('the log was looked through', { log: settings.log.url, alarms: monitor.alarms });
    return;
  }
  closing.use(
    await startHealthServer({
      address: settings.telemetry.metricsAddress,
      live: {},
      ready: { log: () => monitor.findUnready() },
      metrics,
    }),
  );
  log.info('started', { version: packageVersion(), log: settings.log.url });
  await runBoth(monitor, source, signal);
  log.info('stopped', {});
}

/** Records are listed after the entries were read: there is nothing to wait for. */
async function passOnce(monitor: LogMonitor, source: IntentSource, signal: AbortSignal): Promise<void> {
  await source.refresh({ signal });
  const fault = await monitor.pass({ signal, graceMs: 0 });
  if (monitor.alarms > 0) process.exitCode = exitCodes.checkFailed;
  else if (fault !== undefined) throw fault;
}

/** When one of them fails, so does the other. */
async function runBoth(monitor: LogMonitor, source: IntentSource, signal: AbortSignal): Promise<void> {
  const failing = new AbortController();
  const either = AbortSignal.any([signal, failing.signal]);
  await Promise.all(
    [monitor, source].map(async (part) => {
      try {
        await part.run({ signal: either });
      } catch (error) {
        failing.abort(error);
        if (!signal.aborted) throw error;
      }
    }),
  );
}
