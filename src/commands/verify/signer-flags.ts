import { Option } from 'commander';
import type { Command } from 'commander';
import type { SignatureHash } from '../../signing/signature-algorithm.ts';
import { usageFault } from '../policy/usage-fault.ts';
import { readInput } from '../wiring/input-file.ts';

/** cosign's flags that say who must have signed, and how strictly that is looked at. */
export interface SignerFlags {
  readonly key?: string;
  readonly signatureDigestAlgorithm?: SignatureHash;
  readonly certificateIdentity?: string;
  readonly certificateIdentityRegexp?: string;
  readonly certificateOidcIssuer?: string;
  readonly certificateOidcIssuerRegexp?: string;
  readonly certificateChain?: string;
  readonly caRoots?: string;
  readonly caIntermediates?: string;
  readonly insecureIgnoreSct?: boolean;
  readonly insecureIgnoreTlog?: boolean;
  /** cosign's older name of `insecureIgnoreTlog`. */
  readonly privateInfrastructure?: boolean;
  readonly useSignedTimestamps?: boolean;
  readonly rekorUrl?: string;
}

const hashes: readonly SignatureHash[] = ['sha224', 'sha256', 'sha384', 'sha512'];

/** Adds the options that say who must have signed, named as cosign names them. */
export function addSignerOptions(command: Command): Command {
  return command
    .option('--certificate-identity <subject>', 'who must have signed')
    .option('--certificate-identity-regexp <expression>', 'the same as an RE2 expression, found anywhere')
    .option('--certificate-oidc-issuer <url>', 'whose word that is')
    .option('--certificate-oidc-issuer-regexp <expression>', 'the same as an RE2 expression')
    .option(
      '--certificate-chain <file>',
      'authorities that may have issued the certificate, PEM, instead of Fulcio',
    )
    .option('--ca-roots <file>', 'the same')
    .option('--ca-intermediates <file>', 'more of them, beside --ca-roots')
    .option(
      '--key <file|k8s://NS/NAME|KMS>',
      'the public key instead: PEM, cosign.pub of a Secret, or awskms://, azurekms://, gcpkms://, hashivault://',
    )
    .addOption(
      new Option('--signature-digest-algorithm <hash>', 'with --key: the hash under the signature').choices(
        hashes,
      ),
    )
    .option('--insecure-ignore-sct', 'accept certificates that no certificate log saw')
    .option(
      '--insecure-ignore-tlog',
      'with --key: accept signatures without a log entry; with a certificate only beside --use-signed-timestamps',
    )
    .option('--private-infrastructure', 'the same')
    .option(
      '--use-signed-timestamps',
      'with --insecure-ignore-tlog: a timestamp of a trusted authority is wanted',
    )
    .option('--rekor-url <url>', 'log that is asked for the entry of a signature that brings none');
}

/** Whose word on a signature's time is wanted. */
export type WantedWitness = 'log' | 'timestamp' | 'nobody';

/**
 * The witness that the flags want. Throws ERR_USAGE_FLAGS where a short-lived certificate would be believed without one, and
 * for both witnesses at once.
 */
export function wantedWitness(flags: SignerFlags): WantedWitness {
  const isLogIgnored = flags.insecureIgnoreTlog === true || flags.privateInfrastructure === true;
  if (flags.useSignedTimestamps === true) {
    if (isLogIgnored) return 'timestamp';
    throw usageFault(
      '--use-signed-timestamps is for --insecure-ignore-tlog',
      'A log entry is wanted without it: leave the flag out. A timestamp that is there must hold anyway.',
    );
  }
  if (!isLogIgnored) return 'log';
  if (flags.key !== undefined) return 'nobody';
  throw usageFault(
    '--insecure-ignore-tlog is for --key alone',
    'A short-lived certificate proves nothing without a witness: leave the flag out, or add --use-signed-timestamps.',
  );
}

/** The authorities that may have issued the certificate, PEM; absent: those of the trust root. Throws ERR_USAGE_*. */
export async function readAuthorities(
  { certificateChain, caRoots, caIntermediates, key }: SignerFlags,
  options: { readonly signal: AbortSignal },
): Promise<string | undefined> {
  const files = [certificateChain, caRoots, caIntermediates].filter((file) => file !== undefined);
  if (files.length === 0) return undefined;
  if (key !== undefined) {
    throw usageFault(
      '--key and certificate authorities exclude each other',
      'Give the ones that shall count.',
    );
  }
  if (certificateChain !== undefined && files.length > 1) {
    throw usageFault('--certificate-chain and --ca-* exclude each other', 'Give one of them.');
  }
  if (certificateChain === undefined && caRoots === undefined) {
    throw usageFault('--ca-intermediates is for --ca-roots', 'Give the roots, too.');
  }
  const texts = await Promise.all(files.map((file) => readInput(file, options)));
  return texts.join('\n');
}
