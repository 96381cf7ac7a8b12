import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { AppError, messageOf } from '../model/errors.ts';
import { verifierPem } from '../model/signature.ts';
import type { CommandContext } from './command-context.ts';
import { parseBoolean } from './local/local-flags.ts';
import type { SigningFlags } from './local/local-flags.ts';
import { encodeBlobBundle, signBlob } from './sign-blob/blob-signature.ts';
import type { BlobSigned } from './sign-blob/blob-signature.ts';
import { addCosignFlags, signingRefusals } from './wiring/cosign-options.ts';
import { readBlob } from './wiring/input-file.ts';
import type { CertificateFlags } from './wiring/signing-certificate.ts';
import { addSigningOptions } from './wiring/signing-options.ts';
import { openUserSigning } from './wiring/user-signing.ts';

interface SignBlobFlags extends SigningFlags, CertificateFlags {
  readonly outputSignature?: string;
  /** The older name of `outputSignature`. */
  readonly output?: string;
  readonly b64?: string;
  readonly outputCertificate?: string;
  readonly bundle?: string;
  readonly newBundleFormat?: string;
}

/** `chainwright sign-blob`. */
export function signBlobCommand(context: CommandContext): Command {
  const command = new Command('sign-blob')
    .description('sign a file, as cosign sign-blob does')
    .argument('<file>', 'what is signed; - for standard input')
    .option('--output-signature <file>', 'write the signature there; else it is printed')
    .option('--output <file>', 'the same')
    .option('--b64 <bool>', 'false: the signature is written as it is, not as base64')
    .option('--output-certificate <file>', 'write the certificate there, base64 of PEM')
    .option('--bundle <file>', 'write all that verifying takes there: a Sigstore bundle v0.3')
    .option('--new-bundle-format <bool>', 'false: the bundle is cosign’s own of former releases');
  addCosignFlags(addSigningOptions(command), {
    granted: 'signing',
    only: ['signingAlgorithm'],
    refused: [...signingRefusals, 'timestampFile'],
  });
  return command
    .addHelpText(
      'after',
      `
Examples:
  chainwright sign-blob --key k8s://tekton-chains/signing-secrets --output-signature layout.json.sig \\
    golemtrust-layout.json
  chainwright sign-blob --identity-token token.jwt --bundle layout.sigstore.json golemtrust-layout.json`,
    )
    .action(async (file: string, flags: SignBlobFlags) => {
      await runSignBlob(file, flags, context);
    });
}

async function runSignBlob(file: string, flags: SignBlobFlags, context: CommandContext): Promise<void> {
  const { signal } = context;
  const isSigstore = flags.newBundleFormat === undefined || parseBoolean(flags.newBundleFormat);
  await using closing = new AsyncDisposableStack();
  const { signer, witnesses: source } = await openUserSigning(flags, 'file', { ...context, closing });
  const blob = await readBlob(file, { signal });
  const witnesses = await source.current({ signal });
  const signed = await signBlob(blob, await signer.acquire({ signal }), { witnesses, signal });
  const { bundle } = flags;
  if (bundle !== undefined) {
    await writeOut(bundle, encodeBlobBundle(signed, isSigstore ? 'sigstore' : 'cosign'), 'bundle');
  }
  await writeParts(signed, flags);
  for (const { recorded } of signed.testimony.entries) {
    process.stderr.write(`tlog entry created with index: ${recorded.logIndex}\n`);
  }
}

async function writeParts(
  { signature, material }: BlobSigned,
  { bundle, output, outputSignature = output, outputCertificate, b64 }: SignBlobFlags,
): Promise<void> {
  const isEncoded = b64 === undefined || parseBoolean(b64);
  const written = isEncoded ? Buffer.from(signature).toString('base64') : signature;
  if (outputSignature !== undefined) await writeOut(outputSignature, written, 'signature');
  else if (bundle === undefined) process.stdout.write(isEncoded ? `${written.toString()}\n` : signature);
  if (outputCertificate === undefined || material.kind !== 'certificate') return;
  await writeOut(outputCertificate, Buffer.from(verifierPem(material)).toString('base64'), 'certificate');
}

async function writeOut(file: string, content: string | Uint8Array, what: string): Promise<void> {
  try {
    await writeFile(file, content, { mode: 0o600 });
  } catch (error) {
    throw new AppError('ERR_USAGE_OUTPUT', `${file} cannot be written: ${messageOf(error)}`, {
      kind: 'permanent',
      object: file,
      remedy: 'Name a file in a folder that can be written.',
      cause: error,
    });
  }
  process.stderr.write(`Wrote ${what} to file ${file}\n`);
}
