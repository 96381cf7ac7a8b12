import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { AppError, messageOf } from '../../model/errors.ts';
import type { SigningKey } from '../../model/signature.ts';
import { metadataKeyOf, readMetadataKey } from '../../signing/metadata-key.ts';
import { publicKeyOf } from '../../signing/public-key-of.ts';
import { readLayout } from '../../statements/layout.ts';
import {
  bytesToSign,
  encodeSignedMetadata,
  parseSignedMetadata,
  readObject,
} from '../../statements/signed-metadata.ts';
import type { SignedMetadata } from '../../statements/signed-metadata.ts';
import type { CommandContext } from '../command-context.ts';
import { readBlob } from '../wiring/input-file.ts';
import { openSigningKey } from '../wiring/signing-key.ts';

interface SignLayoutFlags {
  readonly key: string;
  readonly output?: string;
  readonly dsse?: boolean;
}

/** `chainwright layout sign`. */
export function signLayoutCommand(context: CommandContext): Command {
  return new Command('sign')
    .description('sign an in-toto layout, as in-toto-sign does')
    .argument('<file>', 'the layout: JSON, or one that others have signed already; - for standard input')
    .requiredOption(
      '--key <file|k8s://NS/NAME|KMS>',
      'private key; its password in COSIGN_PASSWORD, or in the Secret',
    )
    .option('--output <file>', 'where the signed layout is written; else it is printed')
    .option('--dsse', 'in a DSSE envelope, instead of in-toto’s own wrapping')
    .addHelpText(
      'after',
      `
A layout that is malformed or expired is not signed. Signatures of others stay; that of the same key is made anew.

Examples:
  chainwright layout sign --key k8s://tekton-chains/signing-secrets --output golemtrust.layout golemtrust-layout.json
  chainwright layout sign --key second-owner.pem --output golemtrust.layout golemtrust.layout`,
    )
    .action(async (file: string, flags: SignLayoutFlags) => {
      await runSign(file, flags, context);
    });
}

async function runSign(file: string, flags: SignLayoutFlags, context: CommandContext): Promise<void> {
  const { environment, signal } = context;
  const given = readUnsigned(await readBlob(file, { signal }), file, flags.dsse === true);
  readLayout(given.signed, file);
  await using closing = new AsyncDisposableStack();
  const key = await openSigningKey(flags.key, {}, { environment, signal, closing });
  const encoded = encodeSignedMetadata(await withSignature(given, key, file));
  if (flags.output === undefined) process.stdout.write(encoded);
  else await writeOut(flags.output, encoded);
}

type Unsigned = Omit<SignedMetadata, 'signedBytes'> & Partial<Pick<SignedMetadata, 'signedBytes'>>;

function readUnsigned(bytes: Buffer, file: string, isDsse: boolean): Unsigned {
  const json = readObject(bytes, file);
  if (json['_type'] === 'layout') {
    return { wrapping: isDsse ? 'dsse' : 'metablock', signed: json, signatures: [] };
  }
  return parseSignedMetadata(bytes, file);
}

async function withSignature(given: Unsigned, key: SigningKey, object: string): Promise<Unsigned> {
  const { wrapping, signed, signedBytes = bytesToSign(wrapping, signed, object) } = given;
  const { keyid, key: publicKey } = metadataKeyOf(publicKeyOf(key.material));
  const sig = await key.sign(signedBytes, { padding: 'pss' });
  const { verify } = readMetadataKey(publicKey, keyid);
  const others = given.signatures.filter((one) => !verify(signedBytes, one.sig) && one.keyid !== keyid);
  return { ...given, signatures: [...others, { keyid, sig }] };
}

async function writeOut(file: string, content: Uint8Array): Promise<void> {
  try {
    await writeFile(file, content);
  } catch (error) {
    throw new AppError('ERR_USAGE_OUTPUT', `${file} cannot be written: ${messageOf(error)}`, {
      kind: 'permanent',
      object: file,
      remedy: 'Name a file in a folder that can be written.',
      cause: error,
    });
  }
}
