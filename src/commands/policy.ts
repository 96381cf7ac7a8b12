import { Command, Option } from 'commander';
import { openPolicyEngine } from '../policy/evaluation/policy-engine.ts';
import { systemClock } from '../telemetry/system-clock.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-code.ts';
import { impactCommand } from './policy/impact.ts';
import { askCluster, askFiles } from './policy/policy-sources.ts';
import { openJudging } from './policy/judging-session.ts';
import {
  exportPolicies,
  formatExportJson,
  formatExportYaml,
  formatLimitations,
} from './policy/kyverno-export.ts';
import { readPolicyFiles } from './policy/policy-files.ts';
import type { KyvernoVersion } from '../policy/kyverno/kyverno-types.ts';
import type { PolicyFiles } from './policy/policy-files.ts';
import { formatLinted, lintPolicies } from './policy/policy-lint.ts';
import { openRemoteReferences } from './policy/remote-references.ts';
import { asPodImage, formatTested, imagesOf, toTested } from './policy/test-images.ts';
import type { TestImage, TestedImage } from './policy/test-images.ts';
import { usageFault } from './policy/usage-fault.ts';
import { formatOutput, outputOption } from './wiring/output-format.ts';
import type { OutputFormat } from './wiring/output-format.ts';
import { kyvernoOptionsOf } from './wiring/kyverno-options.ts';
import { readSettings } from './wiring/settings.ts';

interface LintFlags {
  readonly filename: readonly string[];
  readonly namespace: string;
  readonly output: OutputFormat;
}

interface TestFlags extends Omit<LintFlags, 'filename'> {
  readonly filename?: readonly string[];
  readonly cluster?: boolean;
  readonly image: readonly string[];
  readonly trustedRoot?: string;
  readonly store?: string;
  readonly config?: string;
}

interface ExportFlags {
  readonly filename: readonly string[];
  readonly namespace: string;
  readonly output: 'yaml' | 'json';
  readonly kyvernoVersion: KyvernoVersion;
  readonly trustedRoot?: string;
  readonly config?: string;
}

/** `chainwright policy`. */
export function policyCommand(context: CommandContext): Command {
  return new Command('policy')
    .description(
      'check ClusterImagePolicies, and what they would say of images and of what runs, or export them',
    )
    .addCommand(lintCommand(context).exitOverride())
    .addCommand(exportCommand(context).exitOverride())
    .addCommand(testCommand(context).exitOverride())
    .addCommand(impactCommand(context).exitOverride());
}

function filesOption(): Option {
  return new Option(
    '-f, --filename <file...>',
    'YAML or JSON with ClusterImagePolicies and what they refer to: TrustRoots, Secrets, ConfigMaps; - is standard input',
  );
}

function namespaceOption(): Option {
  return new Option(
    '-n, --namespace <name>',
    'where the controller runs and the Secrets of policies lie',
  ).default('tekton-chains');
}

function lintCommand(context: CommandContext): Command {
  return new Command('lint')
    .description(
      'tell what is wrong with policies, without cluster and registry; CUE and Rego are compiled, at https addresses too',
    )
    .addOption(filesOption().makeOptionMandatory())
    .addOption(namespaceOption())
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Exit code 1 if a policy would be refused or does not compile, 2 for files without policies.

Examples:
  chainwright policy lint -f policy.yaml
  kubectl get clusterimagepolicies -o yaml | chainwright policy lint -f -`,
    )
    .action(async (flags: LintFlags) => {
      await runLint(flags, context);
    });
}

async function runLint(flags: LintFlags, { environment, signal }: CommandContext): Promise<void> {
  const files = await readPolicyFiles(flags.filename, { signal });
  await using closing = new AsyncDisposableStack();
  const engine = closing.use(openPolicyEngine({ clock: systemClock }));
  const remote = openRemoteReferences({ environment, signal, closing });
  const objects = await lintPolicies(files, { engine, namespace: flags.namespace, remote, signal });
  process.stdout.write(formatOutput({ objects }, flags.output, () => formatLinted(objects)));
  if (objects.some(({ faults }) => faults.length > 0)) process.exitCode = exitCodes.checkFailed;
}

function testCommand(context: CommandContext): Command {
  return new Command('test')
    .description('tell what the webhook would say of images, or of every image of a workload')
    .addOption(filesOption())
    .option('--cluster', 'judge by the policies and trust roots of the cluster that kubectl would use')
    .option('--image <image...>', 'an image; judged as that of a Pod', [])
    .option('--trusted-root <file>', 'trusted_root.json for policies that name no TrustRoot')
    .option('--store <oci-layout:DIR>', 'folder that the images lie in, instead of their registries')
    .option('--config <file>', 'file with a ChainwrightConfig object')
    .addOption(namespaceOption())
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Workloads among the files are judged too: Pods and what makes Pods, with every container and image volume. An image that
no policy matches is denied, unless the ConfigMap config-policy-controller is among the files and says otherwise.
Exit code 1 if an image would be denied, 2 for a wrong policy, 3 if a registry could not be reached.

Examples:
  chainwright policy test -f policy.yaml --image harbor.golems.internal/golem-trust/example-service:1.4.0
  chainwright policy test -f policy.yaml -f deployment.yaml --trusted-root trusted_root.json
  kubectl get deployment app -o yaml | chainwright policy test -f policy.yaml -f - --output json
  KUBECONFIG=admin.conf chainwright policy test --cluster -f deployment.yaml`,
    )
    .action(async (flags: TestFlags) => {
      await runTest(flags, context);
    });
}

async function runTest(flags: TestFlags, { environment, signal }: CommandContext): Promise<void> {
  const { filename = [], image, cluster = false } = flags;
  const files = await readPolicyFiles(filename, { signal, needsPolicy: !cluster });
  if (cluster && files.policies.length > 0) {
    throw usageFault(
      'there are policies in the files besides those of the cluster',
      'Leave out the ones or --cluster.',
    );
  }
  const images = [...image.map(asPodImage), ...imagesOf(files.workloads)];
  if (images.length === 0) {
    throw usageFault('there is no image to test', 'Name one with --image, or a workload among the files.');
  }
  const tested = await testImages(images, files, { flags, environment, signal });
  process.stdout.write(formatOutput({ images: tested }, flags.output, () => formatTested(tested)));
  if (tested.some(({ outcome }) => outcome === 'denied')) process.exitCode = exitCodes.checkFailed;
}

async function testImages(
  images: readonly TestImage[],
  files: PolicyFiles,
  { flags, environment, signal }: CommandContext & { readonly flags: TestFlags },
): Promise<readonly TestedImage[]> {
  const { cluster = false, namespace, trustedRoot, store } = flags;
  const { settings } = await readSettings({ configFile: flags.config, environment });
  await using closing = new AsyncDisposableStack();
  const asked = cluster
    ? await askCluster({ environment, namespace, signal, closing })
    : askFiles(files, namespace);
  const judge = await openJudging({ settings, environment, trustedRoot, store, ...asked, signal, closing });
  const tested: TestedImage[] = [];
  for (const one of images) tested.push(toTested(await judge(one), one));
  return tested;
}

function exportCommand(context: CommandContext): Command {
  return new Command('export')
    .description('write policies as another engine reads them')
    .addOption(filesOption().makeOptionMandatory())
    .addOption(
      new Option('--to <engine>', 'engine that shall enforce them')
        .choices(['kyverno'])
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--kyverno-version <version>', 'version of policies.kyverno.io')
        .choices(['v1', 'v1beta1'])
        .default('v1'),
    )
    .option('--trusted-root <file>', 'trusted_root.json for policies that name no TrustRoot')
    .option(
      '--config <file>',
      'file with a ChainwrightConfig object; of it kyverno, exceptions and webhook.unchangedImages',
    )
    .addOption(namespaceOption())
    .addOption(
      new Option('-o, --output <format>', 'how the policies are printed')
        .choices(['yaml', 'json'])
        .default('yaml'),
    )
    .addHelpText(
      'after',
      `
Kyverno admits no more than the ClusterImagePolicy. What it cannot be told makes it deny more, and is named: on standard
error, and in YAML above each policy. The last policy denies images that no other one is about, unless the ConfigMap
config-policy-controller is among the files and says otherwise.
Exit code 1 if a policy is broken, so that its export denies everything that it is about; 2 for a wrong policy.

Examples:
  chainwright policy export --to kyverno -f policy.yaml --trusted-root trusted_root.json | kubectl apply -f -
  kubectl get clusterimagepolicies,trustroots -o yaml | chainwright policy export --to kyverno -f - --output json`,
    )
    .action(async (flags: ExportFlags) => {
      await runExport(flags, context);
    });
}

async function runExport(flags: ExportFlags, { environment, signal }: CommandContext): Promise<void> {
  const { namespace, trustedRoot, output } = flags;
  const files = await readPolicyFiles(flags.filename, { signal });
  const { settings } = await readSettings({ configFile: flags.config, environment });
  await using closing = new AsyncDisposableStack();
  const { references, ...source } = askFiles(files, namespace);
  const options = { ...kyvernoOptionsOf(settings), version: flags.kyvernoVersion };
  const result = await exportPolicies(
    source,
    { settings, environment, trustedRoot, references, signal, closing },
    options,
  );
  process.stderr.write(formatLimitations(result));
  process.stdout.write(output === 'json' ? formatExportJson(result) : formatExportYaml(result));
  const isBroken = result.exported.some(({ limitations }) =>
    limitations.some(({ code }) => code === 'policy-broken'),
  );
  if (isBroken) process.exitCode = exitCodes.checkFailed;
}
