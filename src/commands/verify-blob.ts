import { Command } from 'commander';
import type { VerifiedEvidence } from '../signing/verification.ts';
import type { CommandContext } from './command-context.ts';
import { verifyFile } from './verify-blob/file-verification.ts';
import type { FileEvidenceFlags } from './verify-blob/file-verification.ts';
import { addSignerOptions } from './verify/signer-flags.ts';
import { addCosignFlags, verifyingRefusals } from './wiring/cosign-options.ts';
import { formatOutput, outputOption } from './wiring/output-format.ts';
import type { OutputFormat } from './wiring/output-format.ts';

interface VerifyBlobFlags extends FileEvidenceFlags {
  readonly output: OutputFormat;
}

/** `chainwright verify-blob`. */
export function verifyBlobCommand(context: CommandContext): Command {
  const command = new Command('verify-blob')
    .description('verify the signature of a file, as cosign verify-blob does')
    .argument('<file>', 'what was signed; - for standard input')
    .option('--bundle <file>', 'Sigstore bundle v0.1 to v0.3, or cosign’s own bundle file')
    .option('--signature <file|base64>', 'the signature, where there is no bundle')
    .option('--certificate <file>', 'the signer’s certificate beside --signature, PEM or base64 of it')
    .option('--rfc3161-timestamp <file>', 'timestamp file of cosign beside --signature')
    .option('--trusted-root <file>', 'trusted_root.json of the Sigstore instance in use')
    .option('--offline', 'ask nobody: a signature must bring its log entry in a bundle')
    .option('--config <file>', 'file with a ChainwrightConfig object')
    .addOption(outputOption());
  addCosignFlags(addSignerOptions(command), { granted: 'verifyingFiles', refused: verifyingRefusals });
  return command
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
  const { verified } = await verifyFile(file, flags, context);
  process.stderr.write('Verified OK\n');
  process.stdout.write(formatOutput(toResult(verified), flags.output, () => ''));
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
