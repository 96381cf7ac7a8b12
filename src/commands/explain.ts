import { Command, Option } from 'commander';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-code.ts';
import { explainImage } from './explain/explain-image.ts';
import { renderExplanation } from './explain/explanation-page.ts';
import type { ImageExplanation } from './explain/explanation-report.ts';
import { formatExplanation } from './explain/explanation-text.ts';
import { readPolicyFiles } from './policy/policy-files.ts';
import { askFiles } from './policy/policy-sources.ts';
import type { PolicySource } from './policy/policy-sources.ts';
import { usageFault } from './policy/usage-fault.ts';
import type { Settings } from '../settings/settings-schema.ts';
import { addRegistryOptions, withRegistryFlags } from './wiring/registry-options.ts';
import type { RegistryFlags } from './wiring/registry-options.ts';
import { readSettings } from './wiring/settings.ts';
import { addValue } from './repeated-value.ts';

interface ExplainFlags extends RegistryFlags {
  readonly policy?: readonly string[];
  readonly cluster?: boolean;
  readonly namespace: string;
  readonly online?: boolean;
  readonly trustedRoot?: string;
  readonly store?: string;
  readonly config?: string;
  readonly output: 'table' | 'json' | 'html';
}

/** `chainwright explain`. */
export function explainCommand(context: CommandContext): Command {
  const command = new Command('explain')
    .description(
      'tell all that is known of an image: run, commit, builder, signers, log entries, SBOM, policies',
    )
    .argument('<image>', 'HOST/PATH:TAG or HOST/PATH@sha256:HEX')
    .option(
      '--policy <file>',
      'YAML or JSON with ClusterImagePolicies and what they refer to; may be given more than once',
      addValue,
    )
    .option('--cluster', 'ask the policies, exceptions and trust roots of the cluster that kubectl would use')
    .option('-n, --namespace <name>', 'where the Secrets of policies lie', 'tekton-chains')
    .option('--online', 'ask the transparency logs whether they still hold the entries')
    .option('--trusted-root <file>', 'trusted_root.json of the Sigstore instance in use')
    .option('--store <oci-layout:DIR>', 'folder that the image lies in, instead of its registry')
    .option('--config <file>', 'file with a ChainwrightConfig object, instead of the cluster’s')
    .addOption(
      new Option('-o, --output <format>', 'how the result is printed')
        .choices(['table', 'json', 'html'])
        .default('table'),
    );
  return addRegistryOptions(command)
    .addHelpText(
      'after',
      `
Every piece of evidence is verified by itself. What verifies is told with who signed it, and whether a policy takes that
signer; what does not is listed with the reason, and what it says is left out. It is looked for beside the image and where
policies about the image look. With --cluster the cluster's own settings say which trust root is the default.
Exit code 1 if a policy would deny the image, 2 for wrong usage, 3 if a registry could not be reached.

Examples:
  chainwright explain harbor.golems.internal/golem-trust/example-service:1.4.0
  chainwright explain IMAGE --policy policy.yaml --trusted-root trusted_root.json --online
  KUBECONFIG=admin.conf chainwright explain IMAGE --cluster --output html > image.html`,
    )
    .action(async (image: string, flags: ExplainFlags) => {
      const explanation = await runExplain(image, flags, context);
      process.stdout.write(printed(explanation, flags.output));
      if (explanation.judgement?.outcome === 'denied') process.exitCode = exitCodes.checkFailed;
    });
}

async function runExplain(
  image: string,
  flags: ExplainFlags,
  { environment, signal }: CommandContext,
): Promise<ImageExplanation> {
  const { trustedRoot, store, online = false } = flags;
  await using closing = new AsyncDisposableStack();
  const read = await readSource(flags, { environment, signal, closing });
  const { source } = read;
  const settings = withRegistryFlags(read.settings, image, flags);
  const place = { settings, environment, trustedRoot, store, named: { image, flags }, signal, closing };
  return await explainImage(image, { ...place, source, online });
}

async function readSource(
  { policy, cluster = false, namespace, config, trustedRoot }: ExplainFlags,
  options: CommandContext & { readonly closing: AsyncDisposableStack },
): Promise<{ readonly source: PolicySource | undefined; readonly settings: Settings }> {
  if (policy !== undefined && cluster) {
    throw usageFault('--policy and --cluster exclude each other', 'Give the policies that shall count.');
  }
  if (cluster) {
    // Only who asks a cluster has to carry its client.
    const { openClusterSource } = await import('./explain/explain-cluster.ts');
    return openClusterSource({ ...options, namespace, config, trustedRoot });
  }
  const source = policy && askFiles(await readPolicyFiles(policy, options), namespace);
  const { environment } = options;
  return { source, settings: (await readSettings({ configFile: config, environment })).settings };
}

function printed(explanation: ImageExplanation, output: ExplainFlags['output']): string {
  switch (output) {
    case 'json':
      return `${JSON.stringify(explanation, undefined, 2)}\n`;
    case 'html':
      return renderExplanation(explanation);
    case 'table':
      return formatExplanation(explanation);
  }
}
