import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import type { SettingsInput } from '../settings/settings-schema.ts';
import type { CommandContext } from './command-context.ts';
import { checks } from './doctor/checks.ts';
import { openExamination } from './doctor/open-examination.ts';
import { exitCodeOfFindings, formatDiagnosis, runChecks } from './doctor/run-checks.ts';
import { formatOutput, outputOption } from './wiring/output-format.ts';
import type { OutputFormat } from './wiring/output-format.ts';

interface DoctorFlags {
  readonly config?: string;
  readonly trustedRoot?: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly webhookName: string;
  readonly registry?: string;
  readonly readOnly?: boolean;
  readonly check?: readonly string[];
  readonly output: OutputFormat;
}

/** `chainwright doctor`. */
export function doctorCommand(context: CommandContext): Command {
  const names = checks.map(({ name }) => name);
  return new Command('doctor')
    .description('look at an installation from inside or outside, and tell what is wrong and what to do')
    .option('-n, --namespace <name>', 'namespace that the controller lives in', 'tekton-chains')
    .option('--service-account <name>', 'its ServiceAccount', 'tekton-chains-controller')
    .option('--webhook-name <name>', 'name of the webhook configurations', 'chainwright')
    .option(
      '--config <file>',
      'file with a ChainwrightConfig object, which stands in for that of the cluster',
    )
    .option('--trusted-root <file>', 'trusted_root.json; absent: as the controller has it')
    .option(
      '--registry <repository>',
      'HOST/PATH to read from, to write the tag chainwright-doctor to, and to attach to',
    )
    .option('--read-only', 'write nothing to the registry')
    .addOption(new Option('--check <name...>', 'make these checks alone').choices(names))
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Nothing is changed but that tag: Pods are asked for with a dry run, the certificate's key is thrown away.
Exit code 1 if there is an error, 3 if all errors are servers that do not answer; warnings and notices leave it at 0.

Examples:
  chainwright doctor --registry harbor.golems.internal/golem-trust/doctor
  chainwright doctor --check webhook policies --output json
  kubectl -n tekton-chains exec deployment/tekton-chains-controller -- /nodejs/bin/node /app/dist/commands/main.js doctor`,
    )
    .action(async (flags: DoctorFlags) => {
      await runDoctor(flags, context);
    });
}

async function runDoctor(flags: DoctorFlags, context: CommandContext): Promise<void> {
  const { namespace, serviceAccount, webhookName, trustedRoot, check: wanted } = flags;
  const settings: SettingsInput =
    trustedRoot === undefined ? {} : { trustedRoot: { file: resolve(trustedRoot) } };
  await using closing = new AsyncDisposableStack();
  const parts = await openExamination(
    {
      account: { namespace, name: serviceAccount },
      webhookName,
      configFile: flags.config,
      flags: settings,
      registry: flags.registry,
      isReadOnly: flags.readOnly === true,
    },
    context,
    closing,
  );
  const chosen = checks.filter(({ name }) => wanted === undefined || wanted.includes(name));
  const diagnosis = await runChecks(chosen, parts);
  process.stdout.write(formatOutput(diagnosis, flags.output, () => formatDiagnosis(diagnosis)));
  process.exitCode = exitCodeOfFindings(diagnosis.findings);
}
