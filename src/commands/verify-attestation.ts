import { Command, Option } from 'commander';
import type { CommandContext } from './command-context.ts';
import { openPolicyEngine } from '../policy/evaluation/policy-engine.ts';
import type { CheckResult, ImageJudgement } from '../policy/judgement.ts';
import { systemClock } from '../telemetry/system-clock.ts';
import { referencesOf } from './policy/file-references.ts';
import { openImageStore, openJudging } from './policy/judging-session.ts';
import { asPodImage } from './policy/test-images.ts';
import { noneVerified, policiesUnmet } from './verify-attestation/attestation-faults.ts';
import { compilePolicyFiles } from './verify-attestation/policy-files.ts';
import { findUnmetPolicies } from './verify-attestation/statement-policies.ts';
import { readEnvelopes } from './verify-attestation/verified-envelopes.ts';
import { policyOfFlags } from './verify/flag-policy.ts';
import { addSignerOptions } from './verify/signer-flags.ts';
import type { SignerFlags } from './verify/signer-flags.ts';
import { addCosignFlags, verifyingRefusals } from './wiring/cosign-options.ts';
import { addRegistryOptions, withRegistryFlags } from './wiring/registry-options.ts';
import type { RegistryFlags } from './wiring/registry-options.ts';
import { readSettings } from './wiring/settings.ts';
import { addValue } from './repeated-value.ts';

interface VerifyAttestationFlags extends SignerFlags, RegistryFlags {
  readonly output: 'json' | 'text';
  readonly type: string;
  readonly policy?: readonly string[];
  readonly trustedRoot?: string;
  readonly config?: string;
}

/** `chainwright verify-attestation`. */
export function verifyAttestationCommand(context: CommandContext): Command {
  const command = new Command('verify-attestation')
    .description(
      'verify an image’s attestations of one type and print them, as cosign verify-attestation does',
    )
    .argument('<image>', 'HOST/PATH:TAG or HOST/PATH@sha256:HEX')
    .option('--type <type>', 'slsaprovenance, cyclonedx, spdxjson, vuln ... or a URI', 'custom')
    .option(
      '--policy <file>',
      'CUE (.cue) or Rego (.rego) that each verified statement of the type must satisfy; may be given more than once',
      addValue,
    )
    .option('--trusted-root <file>', 'trusted_root.json of the Sigstore instance in use')
    .option('--config <file>', 'file with a ChainwrightConfig object')
    .addOption(
      new Option('-o, --output <format>', 'each envelope is a line of JSON either way')
        .choices(['json', 'text'])
        .default('json'),
    );
  addCosignFlags(addRegistryOptions(addSignerOptions(command)), {
    granted: 'verifying',
    only: ['checkClaims'],
    refused: [...verifyingRefusals, 'registryClient', 'tagPrefix', 'detachedCertificate', 'localAttestation'],
  });
  return command
    .addHelpText(
      'after',
      `
Prints each envelope that passed as one line of JSON. Exit code 1 if there is none, with every check on standard error; and
if one statement does not meet one policy, with the rules that it breaks, whatever the others say.

Examples:
  chainwright verify-attestation --type slsaprovenance --certificate-identity-regexp tekton-chains-controller \\
    --certificate-oidc-issuer https://kubernetes.golems.internal IMAGE
  chainwright verify-attestation --type cyclonedx --policy licences.cue --key cosign.pub IMAGE`,
    )
    .action(async (image: string, flags: VerifyAttestationFlags) => {
      await runVerifyAttestation(image, flags, context);
    });
}

async function runVerifyAttestation(
  image: string,
  flags: VerifyAttestationFlags,
  { environment, signal }: CommandContext,
): Promise<void> {
  await using closing = new AsyncDisposableStack();
  const engine = closing.use(openPolicyEngine({ clock: systemClock }));
  const files = await compilePolicyFiles(flags.policy ?? [], { engine, signal });
  const attestations = [{ name: 'attestation', predicateType: flags.type }];
  const policy = await policyOfFlags(flags, { environment, signal }, { attestations });
  const read = await readSettings({ configFile: flags.config, environment });
  const settings = withRegistryFlags(read.settings, image, flags);
  const place = { settings, environment, named: { image, flags }, closing };
  const judge = await openJudging({
    policies: [policy],
    references: referencesOf({ policies: [], trustRoots: [], workloads: [], secrets: [], configMaps: [] }),
    noMatch: 'deny',
    trustedRoot: flags.trustedRoot,
    ...place,
    signal,
  });
  const checks = attestationChecks(await judge(asPodImage(image)));
  const failed = checks.filter(({ outcome }) => outcome !== 'passed');
  if (checks.length === 0 || failed.length > 0) throw noneVerified(image, failed);
  const envelopes = await readEnvelopes(checks, await openImageStore(place), { signal });
  const unmet = await findUnmetPolicies(envelopes, files, { signal });
  if (unmet.length > 0) throw policiesUnmet(image, unmet);
  for (const { line } of envelopes) process.stdout.write(`${line}\n`);
}

/** A strict policy asks for the image's signature besides; here the attestations alone are asked for, as by cosign. */
function attestationChecks({ policies }: ImageJudgement): readonly CheckResult[] {
  const checks = policies.flatMap(({ authorities }) => authorities.flatMap((authority) => authority.checks));
  return checks.filter(({ check }) => check !== 'signature');
}
