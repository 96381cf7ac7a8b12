import { Option } from 'commander';
import type { Command } from 'commander';
import { usageFault } from '../policy/usage-fault.ts';

interface Refusal {
  readonly flags: readonly string[];
  readonly why: string;
  readonly remedy: string;
}

/** What cosign 3.1.3 has and we have not: each is refused in words, since a flag that is passed over would deceive. */
const refusals = {
  hardwareKeys: {
    flags: ['--sk', '--slot <slot>'],
    why: 'keys in hardware tokens are not supported',
    remedy: 'Give --key: a file, k8s://NAMESPACE/NAME, or the address of a key in a KMS.',
  },
  signIn: {
    flags: [
      '--fulcio-auth-flow <flow>',
      '--oidc-client-id <id>',
      '--oidc-client-secret-file <file>',
      '--oidc-provider <name>',
      '--oidc-redirect-url <url>',
    ],
    why: 'nobody is asked to sign in, and no provider is asked for a token',
    remedy: 'Give --identity-token: a file or the token itself.',
  },
  registryClient: {
    flags: [
      '--registry-client-cert <file>',
      '--registry-client-key <file>',
      '--registry-server-name <name>',
      '--registry-token <token>',
      '--k8s-keychain',
    ],
    why: 'client certificates, bare tokens and the keychain of a cluster are not supported for registries',
    remedy: 'Give --registry-username and --registry-password, or a docker config (DOCKER_CONFIG).',
  },
  referrersMode: {
    flags: ['--registry-referrers-mode <mode>'],
    why: 'the registry itself tells whether it has the referrers API',
    remedy: 'Leave the flag out; --new-bundle-format=false writes the tag alone.',
  },
  timestampClient: {
    flags: [
      '--timestamp-client-cacert <file>',
      '--timestamp-client-cert <file>',
      '--timestamp-client-key <file>',
      '--timestamp-server-name <name>',
    ],
    why: 'client certificates are not supported for timestamp authorities',
    remedy: 'Give --timestamp-server-url of one that asks for none; SSL_CERT_FILE names its authority.',
  },
  tagPrefix: {
    flags: ['--attachment-tag-prefix <prefix>'],
    why: 'tags of evidence have no prefix here',
    remedy: 'Leave the flag out; a policy reads tags with a prefix by its tagPrefix.',
  },
  issuedCertificate: {
    flags: ['--issue-certificate'],
    why: 'no certificate is fetched for a key of one’s own',
    remedy: 'Give --key, or --identity-token without a key.',
  },
  outputs: {
    flags: [
      '--output-signature <file>',
      '--output-payload <file>',
      '--output-certificate <file>',
      '--bundle <file>',
    ],
    why: 'what is signed about an image is attached to it, and not written to files besides',
    remedy: 'Leave the flag out; "cosign download signature" fetches what was attached.',
  },
  attestOutput: {
    flags: ['--bundle <file>', '--no-upload', '--replace'],
    why: 'an attestation is attached to the image, and replaces no other',
    remedy: 'Leave the flag out; "cosign download attestation" fetches what was attached.',
  },
  foreignPayload: {
    flags: ['--payload <file>', '--attachment <kind>', '--sign-container-identity <name>'],
    why: 'what is signed is made of the image alone',
    remedy: 'Leave the flag out; "chainwright sign-blob" signs a file of your own.',
  },
  creationTime: {
    flags: ['--record-creation-timestamp'],
    why: 'what is attached holds no time of its own, so that attaching twice is harmless',
    remedy: 'Leave the flag out; the log’s entry tells the time.',
  },
  timestampFile: {
    flags: ['--rfc3161-timestamp <file>'],
    why: 'a timestamp lies in the bundle, and in no file of its own',
    remedy: 'Give --timestamp-server-url and --bundle.',
  },
  detachedEvidence: {
    flags: ['--signature <file>', '--payload <file>', '--attachment <kind>', '--certificate <file>'],
    why: 'an image is judged by the evidence that lies beside it',
    remedy: 'Leave the flag out; "chainwright verify-blob" verifies a payload with a signature of its own.',
  },
  detachedCertificate: {
    flags: ['--certificate <file>'],
    why: 'an attestation is judged by the certificate that lies beside it',
    remedy: 'Leave the flag out.',
  },
  localImage: {
    flags: ['--local-image'],
    why: 'folders of "cosign save" are not read',
    remedy: 'Give --store oci-layout:DIR with the image’s usual name.',
  },
  localAttestation: {
    flags: ['--local-image'],
    why: 'folders of "cosign save" are not read',
    remedy: 'Name the image in its registry.',
  },
  certificateExtras: {
    flags: [
      '--certificate-github-workflow-name <name>',
      '--certificate-github-workflow-ref <ref>',
      '--certificate-github-workflow-repository <repository>',
      '--certificate-github-workflow-sha <sha>',
      '--certificate-github-workflow-trigger <event>',
      '--sct <file>',
      '--allow-certificate-chain',
      '--timestamp-certificate-chain <file>',
    ],
    why: 'this is not checked here',
    remedy:
      'Tell the workflow by --certificate-identity, and timestamp authorities by --trusted-root; a certificate holds its SCT itself.',
  },
} satisfies Readonly<Record<string, Refusal>>;

/** Flags that change nothing: what they ask for is so, or how it is done is our own matter. */
const granted = {
  signing: ['--use-signing-config <bool>', '--insecure-skip-verify', '--oidc-disable-ambient-providers'],
  verifying: ['--offline', '--max-workers <count>', '--experimental-oci11', '--new-bundle-format <bool>'],
  verifyingFiles: ['--max-workers <count>', '--experimental-oci11', '--new-bundle-format <bool>'],
} as const;

interface OnlyValue {
  readonly flags: string;
  readonly value: string;
  readonly why: string;
}

/** Flags of which one value is granted; it is the usual one. */
const onlyValues = {
  upload: { flags: '--upload <bool>', value: 'true', why: 'what is signed is attached' },
  checkClaims: {
    flags: '--check-claims <bool>',
    value: 'true',
    why: 'evidence about another image says nothing about this one',
  },
  signingAlgorithm: {
    flags: '--signing-algorithm <name>',
    value: 'ecdsa-sha2-256-nistp256',
    why: 'a certificate is for a key of ECDSA P-256',
  },
  rekorEntryType: {
    flags: '--rekor-entry-type <kind>',
    value: 'dsse',
    why: 'attestations are logged as dsse',
  },
} satisfies Readonly<Record<string, OnlyValue>>;

/** What a command does with the flags of cosign that are no options of ours. */
export interface CosignFlags {
  readonly refused: readonly (keyof typeof refusals)[];
  readonly granted?: keyof typeof granted;
  readonly only?: readonly (keyof typeof onlyValues)[];
}

/** What every command that signs refuses. */
export const signingRefusals = [
  'hardwareKeys',
  'signIn',
  'timestampClient',
  'issuedCertificate',
] as const satisfies CosignFlags['refused'];

/** What every command that verifies refuses. */
export const verifyingRefusals = [
  'hardwareKeys',
  'certificateExtras',
] as const satisfies CosignFlags['refused'];

/** Lets a command know cosign's other flags, hidden from its help. Using one that is refused throws ERR_USAGE_FLAGS. */
export function addCosignFlags(command: Command, flags: CosignFlags): Command {
  const none = flags.granted === undefined ? [] : granted[flags.granted];
  for (const given of none) command.addOption(new Option(given).hideHelp());
  for (const name of flags.only ?? []) addOnlyValue(command, onlyValues[name]);
  for (const name of flags.refused) addRefusal(command, refusals[name]);
  return command;
}

function addRefusal(command: Command, { flags, why, remedy }: Refusal): void {
  for (const given of flags) {
    const option = new Option(given).hideHelp();
    command.addOption(option).on(`option:${option.name()}`, () => {
      throw usageFault(`${option.long ?? given}: ${why}`, remedy);
    });
  }
}

function addOnlyValue(command: Command, { flags, value, why }: OnlyValue): void {
  const option = new Option(flags).hideHelp();
  command.addOption(option).on(`option:${option.name()}`, (given: string) => {
    if (given === value) return;
    throw usageFault(`${option.long ?? flags}: ${why}`, `Leave the flag out; only ${value} is done.`);
  });
}
