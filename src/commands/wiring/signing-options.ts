import type { Command } from 'commander';

/** Adds the options of every command that signs, named as cosign names them. */
export function addSigningOptions(command: Command): Command {
  return command
    .option(
      '--key <file|k8s://NS/NAME|KMS>',
      'private key, its password in COSIGN_PASSWORD or in the Secret; or awskms://, azurekms://, gcpkms://, hashivault://',
    )
    .option('--certificate <file>', 'with --key: certificate of the key, PEM, that stands for it')
    .option('--certificate-chain <file>', 'authorities of that certificate, PEM, the issuing one first')
    .option('--identity-token <file|token>', 'identity token for a certificate')
    .option('--oidc-issuer <url>', 'refuse a token of another issuer')
    .option('--fulcio-url <url>', 'address of the certificate authority')
    .option('--rekor-url <url>', 'address of the transparency log')
    .option('--signing-config <file>', 'signing_config.json that chooses the services')
    .option('--timestamp-server-url <url>', 'address of an RFC 3161 timestamp authority')
    .option('--tlog-upload <bool>', 'false: without an entry in the transparency log')
    .option('--trusted-root <file>', 'trusted_root.json of the Sigstore instance in use')
    .option('--config <file>', 'file with a ChainwrightConfig object')
    .option('-y, --yes', 'accepted as cosign has it; nothing is asked');
}
