import { Command } from 'commander';
import { parseTrustRoot, loadTrustRoot } from '../signing/trust-root.ts';
import type { TrustRoot } from '../signing/trust-root.ts';
import type { Evidence } from '../signing/evidence-material.ts';
import type { VerificationDemands, VerifiedEvidence } from '../signing/verification.ts';
import { encodeCosignEntry } from '../statements/cosign-annotations.ts';
import { systemClock } from '../telemetry/system-clock.ts';
import type { CommandContext } from './command-context.ts';
import { usageFault } from './policy/usage-fault.ts';
import { evidenceOfSignature, readBlobBundle } from './verify-blob/blob-evidence.ts';
import { verifyBlob } from './verify-blob/blob-verification.ts';
import { readDetached } from './verify-blob/detached-signature.ts';
import { expectedSigner } from './verify-blob/expected-signer.ts';
import { findEntry } from './verify-blob/online-entry.ts';
import type { SignerFlags } from './verify/flag-policy.ts';
import { hostTrustOf } from './wiring/attestation.ts';
import { readBlob } from './wiring/input-file.ts';
import { Dispatchers } from './wiring/dispatchers.ts';
import { formatOutput, outputOption } from './wiring/output-format.ts';
import type { OutputFormat } from './wiring/output-format.ts';
import { trustedFilesOf } from './wiring/process-log.ts';
import { readSettings } from './wiring/settings.ts';
import { openTrustRoot } from './wiring/trust.ts';
import { openUserLog } from './wiring/user-log.ts';

interface VerifyBlobFlags extends SignerFlags {
  readonly signature?: string;
  readonly certificate?: string;
  readonly bundle?: string;
  readonly rfc3161Timestamp?: string;
  readonly trustedRoot?: string;
  readonly rekorUrl?: string;
  readonly config?: string;
  readonly output: OutputFormat;
}

const emptyTrustRoot = '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}';

/** `chainwright verify-blob`. */
export function verifyBlobCommand(context: CommandContext): Command {
  return new Command('verify-blob')
    .description('verify the signature of a file, as cosign verify-blob does')
    .argument('<file>', 'what was signed; - for standard input')
    .option('--bundle <file>', 'Sigstore bundle v0.1 to v0.3, or cosign’s own bundle file')
    .option('--signature <file|base64>', 'the signature, where there is no bundle')
    .option('--certificate <file>', 'the signer’s certificate beside --signature, PEM or base64 of it')
    .option('--rfc3161-timestamp <file>', 'timestamp file of cosign beside --signature')
    .option('--certificate-identity <subject>', 'who must have signed')
    .option('--certificate-identity-regexp <expression>', 'the same as an RE2 expression, found anywhere')
    .option('--certificate-oidc-issuer <url>', 'whose word that is')
    .option('--certificate-oidc-issuer-regexp <expression>', 'the same as an RE2 expression')
    .option('--key <file|k8s://NS/NAME>', 'the public key instead: PEM, or cosign.pub of a Secret')
    .option('--insecure-ignore-sct', 'accept certificates that no certificate log saw')
    .option('--insecure-ignore-tlog', 'with --key: accept a signature without a log entry')
    .option('--trusted-root <file>', 'trusted_root.json of the Sigstore instance in use')
    .option('--rekor-url <url>', 'log that is asked for the entry of a signature without bundle')
    .option('--config <file>', 'file with a ChainwrightConfig object')
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Exit code 1 if the signature does not hold (the error's code names the check that failed), 2 for wrong usage, 3 if the
log could not be reached.

Examples:
  chainwright verify-blob --key cosign.pub --signature layout.json.sig golemtrust-layout.json
  chainwright verify-blob --bundle layout.sigstore.json --certificate-identity-regexp tekton-chains-controller \\
    --certificate-oidc-issuer https://kubernetes.golems.internal golemtrust-layout.json`,
    )
    .action(async (file: string, flags: VerifyBlobFlags) => {
      await runVerifyBlob(file, flags, context);
    });
}

async function runVerifyBlob(file: string, flags: VerifyBlobFlags, context: CommandContext): Promise<void> {
  const { environment, signal } = context;
  requireOneSource(flags);
  const signer = await expectedSigner(flags, { environment, signal });
  const trustRoot = await trustRootOf(flags, context);
  const blob = await readBlob(file, { signal });
  const evidence = await evidenceOf(flags, { blob, trustRoot, context });
  const demands: VerificationDemands = {
    trustRoot,
    witness: flags.insecureIgnoreTlog === true ? 'unsafe-none' : 'log',
    requireSct: flags.insecureIgnoreSct !== true,
    at: systemClock.now(),
  };
  const verified = verifyBlob(evidence, blob, { signer, demands });
  process.stderr.write('Verified OK\n');
  process.stdout.write(formatOutput(toResult(verified), flags.output, () => ''));
}

function requireOneSource({ bundle, signature, certificate, rfc3161Timestamp }: VerifyBlobFlags): void {
  if ((bundle === undefined) === (signature === undefined)) {
    throw usageFault('either --bundle or --signature is needed', 'Give the one that the signer wrote.');
  }
  if (bundle === undefined) return;
  if (certificate !== undefined || rfc3161Timestamp !== undefined) {
    throw usageFault('a bundle holds certificate and timestamp itself', 'Leave the other files out.');
  }
}

async function trustRootOf(
  { trustedRoot, key, insecureIgnoreTlog, config, rekorUrl }: VerifyBlobFlags,
  { environment, signal }: CommandContext,
): Promise<TrustRoot> {
  if (trustedRoot !== undefined) return loadTrustRoot(trustedRoot, { signal });
  // With a key and nobody else's word there is nothing that a trust root could be asked.
  if (key !== undefined && insecureIgnoreTlog === true) return parseTrustRoot(emptyTrustRoot);
  const { settings } = await readSettings({
    configFile: config,
    flags: { log: { url: rekorUrl } },
    environment,
  });
  const found = await openTrustRoot(settings, { signal });
  if (found !== undefined) return found;
  throw usageFault('there is no trust root', 'Give --trusted-root, or trustedRoot.file in --config.');
}

interface EvidenceParts {
  readonly blob: Uint8Array;
  readonly trustRoot: TrustRoot;
  readonly context: CommandContext;
}

async function evidenceOf(flags: VerifyBlobFlags, parts: EvidenceParts): Promise<Evidence> {
  const { blob, trustRoot, context } = parts;
  const { environment, signal } = context;
  if (flags.bundle !== undefined) return readBlobBundle(await readBlob(flags.bundle, { signal }), blob);
  const detached = await readDetached(flags, { signal });
  if (flags.insecureIgnoreTlog === true) return evidenceOfSignature(detached, blob);
  const { settings } = await readSettings({
    configFile: flags.config,
    flags: { log: { url: flags.rekorUrl } },
    environment,
  });
  await using dispatchers = await Dispatchers.open({
    caFiles: trustedFilesOf(environment),
    hosts: hostTrustOf(settings),
  });
  const log = openUserLog(settings, { dispatchers, trustRoot });
  const entry = await findEntry(log, { blob, signature: detached.signature }, { signal });
  return evidenceOfSignature({ ...detached, entry: encodeCosignEntry(entry) }, blob);
}

function toResult({ signer, logEntries, witnessedAt }: VerifiedEvidence): object {
  return {
    verified: true,
    signer:
      signer.kind === 'certificate'
        ? { ...signer.identity, notBefore: signer.notBefore, notAfter: signer.notAfter }
        : { keyFingerprint: signer.fingerprint },
    logEntries: logEntries.map(({ logId, logIndex }) => ({ logId, logIndex })),
    witnessedAt,
  };
}
