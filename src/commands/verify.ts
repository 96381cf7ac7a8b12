import { Command } from 'commander';
import { explainFully } from '../policy/explanation.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-code.ts';
import { referencesOf } from './policy/file-references.ts';
import { openImageStore, openJudging } from './policy/judging-session.ts';
import { readPolicyFiles } from './policy/policy-files.ts';
import { askCluster, askFiles } from './policy/policy-sources.ts';
import type { PolicySource } from './policy/policy-sources.ts';
import { asPodImage } from './policy/test-images.ts';
import { usageFault } from './policy/usage-fault.ts';
import { addAnnotations } from './sign/annotation-flags.ts';
import type { Annotations } from './sign/annotation-flags.ts';
import { hasSignerFlags, policyOfFlags } from './verify/flag-policy.ts';
import { requireAnnotations } from './verify/signature-annotations.ts';
import { addSignerOptions } from './verify/signer-flags.ts';
import type { SignerFlags } from './verify/signer-flags.ts';
import { addCosignFlags, verifyingRefusals } from './wiring/cosign-options.ts';
import { formatOutput, outputOption } from './wiring/output-format.ts';
import type { OutputFormat } from './wiring/output-format.ts';
import { addRegistryOptions, withRegistryFlags } from './wiring/registry-options.ts';
import type { RegistryFlags } from './wiring/registry-options.ts';
import { readSettings } from './wiring/settings.ts';
import { addValue } from './repeated-value.ts';

interface VerifyFlags extends SignerFlags, RegistryFlags {
  readonly annotations?: Annotations;
  readonly policy?: readonly string[];
  readonly cluster?: boolean;
  readonly namespace: string;
  readonly trustedRoot?: string;
  readonly store?: string;
  readonly config?: string;
  readonly output: OutputFormat;
}

/** `chainwright verify`. */
export function verifyCommand(context: CommandContext): Command {
  const command = new Command('verify')
    .description(
      'verify an image by policies, or by cosign’s flags: every check, with the evidence that passed it',
    )
    .argument('<image>', 'HOST/PATH:TAG or HOST/PATH@sha256:HEX')
    .option(
      '--policy <file>',
      'YAML or JSON with ClusterImagePolicies and what they refer to; may be given more than once',
      addValue,
    )
    .option('--cluster', 'judge by the policies and trust roots of the cluster that kubectl would use')
    .option('-n, --namespace <name>', 'where the Secrets of policies lie', 'tekton-chains')
    .option('--trusted-root <file>', 'trusted_root.json of the Sigstore instance in use')
    .option('--store <oci-layout:DIR>', 'folder that the image lies in, instead of its registry')
    .option('--config <file>', 'file with a ChainwrightConfig object')
    .option(
      '-a, --annotations <name=value>',
      'what the signature must say, too; without a policy',
      addAnnotations,
    )
    .addOption(outputOption());
  addCosignFlags(addRegistryOptions(addSignerOptions(command)), {
    granted: 'verifying',
    only: ['checkClaims'],
    refused: [...verifyingRefusals, 'registryClient', 'tagPrefix', 'detachedEvidence', 'localImage'],
  });
  return command
    .addHelpText(
      'after',
      `
Exit code 1 if the image does not pass, 2 for wrong usage, 3 if a registry could not be reached.

Examples:
  chainwright verify harbor.golems.internal/golem-trust/example-service:1.4.0 --policy policy.yaml
  chainwright verify IMAGE --policy policy.yaml --trusted-root trusted_root.json --output json
  KUBECONFIG=admin.conf chainwright verify IMAGE --cluster
  chainwright verify IMAGE --certificate-oidc-issuer https://kubernetes.golems.internal \\
    --certificate-identity-regexp tekton-chains-controller`,
    )
    .action(async (image: string, flags: VerifyFlags) => {
      await runVerify(image, flags, context);
    });
}

async function runVerify(
  image: string,
  flags: VerifyFlags,
  { environment, signal }: CommandContext,
): Promise<void> {
  await using closing = new AsyncDisposableStack();
  const asked = await whatToAsk(flags, { environment, signal, closing });
  const read = await readSettings({ configFile: flags.config, environment });
  const settings = withRegistryFlags(read.settings, image, flags);
  const { trustedRoot, annotations, store } = flags;
  const place = { settings, environment, store, named: { image, flags }, closing };
  const judge = await openJudging({ ...asked, ...place, trustedRoot, signal });
  const judgement = await judge(asPodImage(image));
  if (annotations !== undefined && judgement.outcome !== 'denied') {
    await requireAnnotations(judgement, annotations, await openImageStore(place), { signal });
  }
  process.stdout.write(formatOutput(judgement, flags.output, () => `${explainFully(judgement)}\n`));
  if (judgement.outcome === 'denied') process.exitCode = exitCodes.checkFailed;
}

async function whatToAsk(
  flags: VerifyFlags,
  options: CommandContext & { readonly closing: AsyncDisposableStack },
): Promise<PolicySource> {
  const { policy, cluster = false, namespace, annotations } = flags;
  if ([policy !== undefined, cluster, hasSignerFlags(flags)].filter(Boolean).length !== 1) {
    throw usageFault(
      'either policies or the expected signer are needed',
      'Give --policy, or --cluster, or --key, or --certificate-identity and --certificate-oidc-issuer.',
    );
  }
  if (annotations !== undefined && !hasSignerFlags(flags)) {
    throw usageFault(
      '--annotations is for the expected signer',
      'Leave it out: a policy asks for what it wants.',
    );
  }
  if (cluster) return askCluster({ ...options, namespace });
  if (policy === undefined) return askByFlags(flags, options);
  return askFiles(await readPolicyFiles(policy, options), namespace);
}

async function askByFlags(flags: SignerFlags, options: CommandContext): Promise<PolicySource> {
  const none = { policies: [], trustRoots: [], workloads: [], secrets: [], configMaps: [] };
  return {
    policies: [await policyOfFlags(flags, options)],
    references: referencesOf(none),
    noMatch: 'deny',
  };
}
