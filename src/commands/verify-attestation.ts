import { Command } from 'commander';
import type { CommandContext } from './command-context.ts';
import { AppError } from '../model/errors.ts';
import type { CheckResult, ImageJudgement } from '../policy/judgement.ts';
import { referencesOf } from './policy/file-references.ts';
import { openJudging } from './policy/judging-session.ts';
import { asPodImage } from './policy/test-images.ts';
import { readEnvelopes } from './verify-attestation/verified-envelopes.ts';
import { policyOfFlags } from './verify/flag-policy.ts';
import type { SignerFlags } from './verify/flag-policy.ts';
import { attestationsOf } from './verify-attestation/demanded-attestations.ts';
import { hostTrustOf } from './wiring/attestation.ts';
import { Dispatchers } from './wiring/dispatchers.ts';
import { trustedFilesOf } from './wiring/process-log.ts';
import { readSettings } from './wiring/settings.ts';
import { openUserRegistries } from './wiring/user-images.ts';

interface VerifyAttestationFlags extends SignerFlags {
  readonly type: string;
  readonly policy?: readonly string[];
  readonly trustedRoot?: string;
  readonly config?: string;
}

/** `chainwright verify-attestation`. */
export function verifyAttestationCommand(context: CommandContext): Command {
  return new Command('verify-attestation')
    .description(
      'verify an image’s attestations of one type and print them, as cosign verify-attestation does',
    )
    .argument('<image>', 'HOST/PATH:TAG or HOST/PATH@sha256:HEX')
    .option('--type <type>', 'slsaprovenance, cyclonedx, spdxjson, vuln ... or a URI', 'custom')
    .option('--policy <file...>', 'CUE (.cue) or Rego (.rego) that each statement must satisfy')
    .option('--certificate-identity <subject>', 'who must have attested')
    .option('--certificate-identity-regexp <expression>', 'the same as an RE2 expression, found anywhere')
    .option('--certificate-oidc-issuer <url>', 'whose word that is')
    .option('--certificate-oidc-issuer-regexp <expression>', 'the same as an RE2 expression')
    .option('--key <file|k8s://NS/NAME>', 'the public key instead')
    .option('--insecure-ignore-sct', 'accept certificates that no certificate log saw')
    .option('--insecure-ignore-tlog', 'with --key: accept attestations without a log entry')
    .option('--trusted-root <file>', 'trusted_root.json of the Sigstore instance in use')
    .option('--config <file>', 'file with a ChainwrightConfig object')
    .addHelpText(
      'after',
      `
Prints each envelope that passed as one line of JSON. Exit code 1 if there is none, with every check on standard error.

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
  const attestations = await attestationsOf(flags, { signal });
  const policy = await policyOfFlags(flags, { environment, signal }, { attestations });
  const { settings } = await readSettings({ configFile: flags.config, environment });
  const judge = await openJudging({
    policies: [policy],
    references: referencesOf({ policies: [], trustRoots: [], workloads: [], secrets: [], configMaps: [] }),
    noMatch: 'deny',
    settings,
    environment,
    trustedRoot: flags.trustedRoot,
    signal,
    closing,
  });
  const checks = attestationChecks(await judge(asPodImage(image)));
  const failed = checks.filter(({ outcome }) => outcome !== 'passed');
  if (checks.length === 0 || failed.length > 0) throw noneVerified(image, failed);
  const dispatchers = closing.use(
    await Dispatchers.open({ caFiles: trustedFilesOf(environment), hosts: hostTrustOf(settings) }),
  );
  const store = openUserRegistries(settings, { dispatchers, environment });
  for (const line of await readEnvelopes(checks, store, { signal })) process.stdout.write(`${line}\n`);
}

/** A strict policy asks for the image's signature besides; here the attestations alone are asked for, as by cosign. */
function attestationChecks({ policies }: ImageJudgement): readonly CheckResult[] {
  const checks = policies.flatMap(({ authorities }) => authorities.flatMap((authority) => authority.checks));
  return checks.filter(({ check }) => check !== 'signature');
}

function noneVerified(image: string, failed: readonly CheckResult[]): AppError {
  const lines = failed.flatMap(({ check, predicateType = '', outcome, reasons }) => [
    `${check} (${predicateType}): ${outcome}`,
    ...reasons.map(
      ({ code, message, ref }) => `  ${code}: ${message}${ref === undefined ? '' : ` [${ref}]`}`,
    ),
  ]);
  return new AppError('ERR_VERIFY_ATTESTATION', [`no attestation of ${image} passes`, ...lines].join('\n'), {
    kind: 'permanent',
    object: image,
    remedy: 'Attest the image, or correct type, signer or policy.',
  });
}
