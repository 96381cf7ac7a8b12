import { resolve } from 'node:path';
import { Command } from 'commander';
import { systemClock } from '../telemetry/system-clock.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-code.ts';
import { readSecrets, settingsOf } from './local/local-flags.ts';
import type { LocalFlags } from './local/local-flags.ts';
import { openLocalPipeline } from './local/local-pipeline.ts';
import { signOnce } from './local/sign-once.ts';
import type { OnceResult } from './local/sign-once.ts';
import { watchRuns } from './local/watch-runs.ts';
import { parseStoreAddress } from './wiring/evidence-store.ts';
import { openProcessLog } from './wiring/process-log.ts';
import { readSettings } from './wiring/settings.ts';
import { formatTable } from './wiring/table.ts';

/** `chainwright local`. */
export function localCommand(context: CommandContext): Command {
  return new Command('local')
    .description('sign, attest and log the TaskRuns that lie in a folder, without a cluster')
    .requiredOption('--taskruns <dir>', 'folder with TaskRuns as YAML or JSON; watched')
    .requiredOption('--store <store>', 'where the images lie and evidence goes: oci-layout:DIR or HOST/REPO')
    .option('--once', 'sign what is there, print what became of it, and end')
    .option('--state <dir>', 'what is kept of each run (default: .chainwright in the folder of TaskRuns)')
    .option('--config <file>', 'file with a ChainwrightConfig object')
    .option(
      '--identity-token <file|token>',
      'identity token for the certificate; a file is read again when it changes',
    )
    .option('--oidc-issuer <url>', 'refuse a token of another issuer')
    .option(
      '--key <file>',
      'sign with this private key instead of a certificate; password in COSIGN_PASSWORD',
    )
    .option('--fulcio-url <url>', 'address of the certificate authority')
    .option('--rekor-url <url>', 'address of the transparency log')
    .option('--signing-config <file>', 'signing_config.json that chooses the services')
    .option('--timestamp-server-url <url>', 'address of an RFC 3161 timestamp authority')
    .option('--tlog-upload <bool>', 'false: without entries in the transparency log')
    .option('--trusted-root <file>', 'trusted_root.json of the Sigstore instance in use')
    .option('--log-level <level>', 'debug, info, warn or error')
    .addHelpText(
      'after',
      `
With HOST/REPO, the evidence of an image lies beside it, and only images at or below that name are touched; HOST alone
stands for the whole registry. In a folder images are found by digest, whatever registry their names tell of.
Each run's annotations are in STATE/runs/NAMESPACE/NAME.json, its SigningRecord in STATE/records/NAMESPACE/UID.json.
Files that are not complete at once should be written under another name, and renamed.
Exit code with --once: 1 if something failed, 3 if all that failed may pass.

Examples:
  chainwright local --taskruns runs --store oci-layout:registry --identity-token token.jwt
  chainwright local --taskruns runs --store harbor.golems.internal/golem-trust --key cosign.key --once`,
    )
    .action(async (flags: LocalFlags) => {
      await runLocal(flags, context);
    });
}

async function runLocal(flags: LocalFlags, { environment, signal }: CommandContext): Promise<void> {
  const store = parseStoreAddress(flags.store);
  const secrets = await readSecrets(flags, environment['COSIGN_PASSWORD']);
  const { settings, notices } = await readSettings({
    configFile: flags.config,
    flags: settingsOf(flags, secrets),
    environment,
  });
  await using closing = new AsyncDisposableStack();
  const log = openProcessLog(settings, environment);
  closing.defer(() => log.close());
  for (const { level, source, name, message } of notices) {
    log[level === 'warning' ? 'warn' : 'info']('settings', { source, name, notice: message });
  }
  const taskRuns = resolve(flags.taskruns);
  const state = resolve(flags.state ?? `${taskRuns}/.chainwright`);
  const where = { taskRuns, state, store, environment };
  const pipeline = await openLocalPipeline({ ...where, settings, secrets, log, signal, closing });
  const parts = { ...pipeline, settings: settings.controller, clock: systemClock, log };
  if (flags.once === true) {
    const results = await signOnce(parts, { signal });
    process.stdout.write(`${formatResults(results)}\n`);
    process.exitCode = exitCodeOfResults(results);
    return;
  }
  await watchRuns(parts, { signal });
  log.info('stopped', {});
}

function formatResults(results: readonly OnceResult[]): string {
  if (results.length === 0) return 'no TaskRuns found';
  return formatTable(
    ['RUN', 'OUTCOME', 'DETAIL'],
    results.map(({ run, outcome, fault, logIndices }) => [
      run,
      outcome,
      fault ?? (logIndices.length === 0 ? '' : `log indices ${logIndices.join(', ')}`),
    ]),
  );
}

function exitCodeOfResults(results: readonly OnceResult[]): number {
  const bad = results.filter(({ outcome }) => outcome === 'failed' || outcome === 'unreadable');
  if (bad.length === 0) return exitCodes.good;
  return bad.every(({ isPassing }) => isPassing) ? exitCodes.unreachable : exitCodes.checkFailed;
}
