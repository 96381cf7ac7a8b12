import { Command } from 'commander';
import { checkSigningConfig } from '../../signing/signing-config.ts';
import type { TrustFinding } from '../../signing/trust-finding.ts';
import { checkTrustedRoot } from '../../signing/trusted-root-check.ts';
import type { TrustedRootDocument } from '../../signing/trusted-root-document.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import type { CommandContext } from '../command-context.ts';
import { exitCodes } from '../exit-code.ts';
import { usageFault } from '../policy/usage-fault.ts';
import { Dispatchers } from '../wiring/dispatchers.ts';
import { formatOutput, outputOption } from '../wiring/output-format.ts';
import type { OutputFormat } from '../wiring/output-format.ts';
import { trustedFilesOf } from '../wiring/process-log.ts';
import { formatFinding } from './finding-text.ts';
import { checkOnline } from './online-check.ts';
import { parseTime } from './service-spec.ts';
import { readTrustDocument, readTrustedRoot } from './trust-document.ts';
import type { TrustDocument } from './trust-document.ts';

interface VerifyFlags {
  readonly trustedRoot?: string;
  readonly online?: boolean;
  readonly at?: string;
  readonly output: OutputFormat;
}

/** `chainwright trust-root verify`. */
export function verifyTrustRootCommand(context: CommandContext): Command {
  return new Command('verify')
    .description('tell what is wrong with a trusted_root.json, a signing_config.json or a TrustRoot object')
    .argument('<file>', '- is standard input')
    .option('--trusted-root <file>', 'for a signing_config.json: it must trust every service that is used')
    .option('--online', 'ask the servers, too: their keys must be those that are trusted now')
    .option('--at <time>', 'judge validities as of this time, RFC 3339')
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Checked are structure, keys, certificate chains, log ids, validities by themselves and in succession, and what cosign refuses.
Exit code 1 if there is an error, 2 for a file that cannot be read, 3 if all is well but a server could not be asked.

Examples:
  chainwright trust-root verify trusted_root.json --online
  chainwright trust-root verify signing_config.json --trusted-root trusted_root.json
  kubectl get trustroot golems -o yaml | chainwright trust-root verify -`,
    )
    .action(async (file: string, flags: VerifyFlags) => {
      await runVerify(file, flags, context);
    });
}

async function runVerify(file: string, flags: VerifyFlags, context: CommandContext): Promise<void> {
  const { signal } = context;
  const now = flags.at === undefined ? systemClock.now() : new Date(parseTime(flags.at, '--at'));
  const document = await readTrustDocument(file, { signal });
  if (document.kind === 'SigningConfig' && flags.online === true && flags.trustedRoot === undefined) {
    throw usageFault('a signing configuration holds no keys to compare with', 'Add --trusted-root FILE.');
  }
  const trustedRoot =
    document.kind === 'SigningConfig' && flags.trustedRoot !== undefined
      ? await readTrustedRoot(flags.trustedRoot, { signal })
      : undefined;
  const asked = document.kind === 'SigningConfig' ? trustedRoot : document.root;
  const findings = [
    ...checkDocument(document, now, trustedRoot),
    ...(flags.online === true && asked !== undefined ? await askServers(asked, now, context) : []),
  ];
  const result = { kind: document.kind, findings };
  process.stdout.write(formatOutput(result, flags.output, () => textOf(file, result)));
  process.exitCode = verdictOf(findings);
}

/** Everything that can be told without asking anybody. */
function checkDocument(
  document: TrustDocument,
  now: Date,
  trustedRoot?: TrustedRootDocument,
): readonly TrustFinding[] {
  if (document.kind === 'SigningConfig') {
    const { config, faults } = document;
    return [...faults, ...(config === undefined ? [] : checkSigningConfig(config, { now, trustedRoot }))];
  }
  const { root, faults, kind } = document;
  const found = root === undefined ? [] : checkTrustedRoot(root, now);
  // An object cannot say when a key ends.
  return [...faults, ...found.filter(({ check }) => kind === 'TrustedRoot' || check !== 'overlap')];
}

async function askServers(
  root: TrustedRootDocument,
  now: Date,
  { environment, signal }: CommandContext,
): Promise<readonly TrustFinding[]> {
  await using dispatchers = await Dispatchers.open({ caFiles: trustedFilesOf(environment) });
  return await checkOnline(root, { dispatchers, clock: systemClock, now, signal });
}

function textOf(
  file: string,
  { kind, findings }: { readonly kind: string; readonly findings: readonly TrustFinding[] },
): string {
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const verdict = errors === 0 ? 'good' : `${errors} ${errors === 1 ? 'error' : 'errors'}`;
  return [`${kind} ${file}: ${verdict}`, ...findings.map((one) => `  ${formatFinding(one)}`), ''].join('\n');
}

function verdictOf(findings: readonly TrustFinding[]): number {
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return exitCodes.good;
  return errors.every(({ check }) => check === 'unreachable') ? exitCodes.unreachable : exitCodes.checkFailed;
}
