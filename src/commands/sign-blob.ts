import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { AppError, messageOf } from '../model/errors.ts';
import { verifierPem } from '../model/signature.ts';
import type { CommandContext } from './command-context.ts';
import { parseBoolean } from './local/local-flags.ts';
import type { SigningFlags } from './local/local-flags.ts';
import { encodeBlobBundle, signBlob } from './sign-blob/blob-signature.ts';
import type { BlobSigned } from './sign-blob/blob-signature.ts';
import { readBlob } from './wiring/input-file.ts';
import { addSigningOptions } from './wiring/signing-options.ts';
import { openUserLog } from './wiring/user-log.ts';
import { openUserSigning } from './wiring/user-signing.ts';

interface SignBlobFlags extends SigningFlags {
  readonly outputSignature?: string;
  readonly outputCertificate?: string;
  readonly bundle?: string;
  readonly newBundleFormat?: string;
}

/** `chainwright sign-blob`. */
export function signBlobCommand(context: CommandContext): Command {
  const command = new Command('sign-blob')
    .description('sign a file, as cosign sign-blob does')
    .argument('<file>', 'what is signed; - for standard input')
    .option('--output-signature <file>', 'write the signature there, base64; else it is printed')
    .option('--output-certificate <file>', 'write the certificate there, base64 of PEM')
    .option('--bundle <file>', 'write all that verifying takes there: a Sigstore bundle v0.3')
    .option('--new-bundle-format <bool>', 'false: the bundle is cosign’s own of former releases');
  return addSigningOptions(command)
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
  const { settings, dispatchers, signer, trustRoot } = await openUserSigning(flags, { ...context, closing });
  const log = settings.log.enabled ? openUserLog(settings, { dispatchers, trustRoot }) : undefined;
  const blob = await readBlob(file, { signal });
  const signed = await signBlob(blob, await signer.acquire({ signal }), { log, signal });
  const { bundle } = flags;
  if (bundle !== undefined) {
    await writeOut(bundle, encodeBlobBundle(signed, isSigstore ? 'sigstore' : 'cosign'), 'bundle');
  }
  await writeParts(signed, flags);
  if (signed.logged !== undefined) {
    process.stderr.write(`tlog entry created with index: ${signed.logged.recorded.logIndex}\n`);
  }
}

async function writeParts(
  { signature, material }: BlobSigned,
  { bundle, outputSignature, outputCertificate }: SignBlobFlags,
): Promise<void> {
  const encoded = Buffer.from(signature).toString('base64');
  if (outputSignature !== undefined) await writeOut(outputSignature, encoded, 'signature');
  else if (bundle === undefined) process.stdout.write(`${encoded}\n`);
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
