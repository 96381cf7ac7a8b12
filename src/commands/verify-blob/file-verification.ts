import { parseCertificateIssuers } from '../../signing/certificate-issuers.ts';
import type { Evidence } from '../../signing/evidence-material.ts';
import { loadTrustRoot, parseTrustRoot } from '../../signing/trust-root.ts';
import type { TrustRoot } from '../../signing/trust-root.ts';
import type { ExpectedSigner, VerificationDemands, VerifiedEvidence } from '../../signing/verification.ts';
import { verificationFault } from '../../signing/verification-fault.ts';
import { encodeCosignEntry } from '../../statements/cosign-annotations.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import type { CommandContext } from '../command-context.ts';
import { usageFault } from '../policy/usage-fault.ts';
import { readAuthorities, wantedWitness } from '../verify/signer-flags.ts';
import type { SignerFlags } from '../verify/signer-flags.ts';
import { hostTrustOf } from '../wiring/attestation.ts';
import { Dispatchers } from '../wiring/dispatchers.ts';
import { readBlob } from '../wiring/input-file.ts';
import { trustedFilesOf } from '../wiring/process-log.ts';
import { readSettings } from '../wiring/settings.ts';
import { openTrustRoot } from '../wiring/trust.ts';
import { openUserLog } from '../wiring/user-log.ts';
import { evidenceOfSignature, readBlobBundle } from './blob-evidence.ts';
import { verifyBlob } from './blob-verification.ts';
import { readDetached } from './detached-signature.ts';
import { expectedSigner } from './expected-signer.ts';
import { findEntry } from './online-entry.ts';

/** cosign's flags that say by what a file is verified. */
export interface FileEvidenceFlags extends SignerFlags {
  readonly signature?: string;
  readonly certificate?: string;
  readonly bundle?: string;
  readonly rfc3161Timestamp?: string;
  readonly trustedRoot?: string;
  readonly offline?: boolean;
  readonly config?: string;
}

const emptyTrustRoot = '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}';

/**
 * Reads a file and verifies its signature by cosign's flags. Throws ERR_USAGE_*, ERR_VERIFY_*, ERR_BUNDLE*, ERR_COSIGN_BUNDLE,
 * and what the log and a cluster throw.
 */
export async function verifyFile(
  file: string,
  flags: FileEvidenceFlags,
  context: CommandContext,
): Promise<{ readonly blob: Buffer; readonly verified: VerifiedEvidence }> {
  const { environment, signal } = context;
  requireOneSource(flags);
  const signer = await expectedSigner(flags, { environment, signal });
  const trustRoot = await trustRootOf(flags, context);
  const blob = await readBlob(file, { signal });
  const evidence = await evidenceOf(flags, { blob, signer, trustRoot, context });
  const demands = await demandsOf(flags, trustRoot, { signal });
  const verified = verifyBlob(evidence, blob, { signer, demands });
  if (wantedWitness(flags) === 'timestamp') requireTimestamp(verified);
  return { blob, verified };
}

async function demandsOf(
  flags: FileEvidenceFlags,
  trustRoot: TrustRoot,
  options: { readonly signal: AbortSignal },
): Promise<VerificationDemands> {
  const authorities = await readAuthorities(flags, options);
  const issuers = authorities === undefined ? undefined : parseCertificateIssuers(authorities);
  if (authorities !== undefined && issuers === undefined) {
    throw usageFault(
      'the authorities in --certificate-chain or --ca-roots are none',
      'Give CA certificates in PEM.',
    );
  }
  return {
    trustRoot,
    witness: wantedWitness(flags) === 'log' ? 'log' : 'unsafe-none',
    // An organisation's own authority often has no certificate log.
    requireSct:
      flags.insecureIgnoreSct !== true && (issuers === undefined || trustRoot.material.ctlogs.length > 0),
    ...(issuers === undefined ? {} : { issuers }),
    at: systemClock.now(),
  };
}

/** With log entries left aside, the only verified times are those of timestamp authorities. */
function requireTimestamp({ witnessedAt }: VerifiedEvidence): void {
  if (witnessedAt.length > 0) return;
  throw verificationFault('ERR_VERIFY_TIMESTAMP', 'it has no timestamp of a timestamp authority');
}

function requireOneSource({ bundle, signature, certificate, rfc3161Timestamp }: FileEvidenceFlags): void {
  if ((bundle === undefined) === (signature === undefined)) {
    throw usageFault('either --bundle or --signature is needed', 'Give the one that the signer wrote.');
  }
  if (bundle === undefined) return;
  if (certificate !== undefined || rfc3161Timestamp !== undefined) {
    throw usageFault('a bundle holds certificate and timestamp itself', 'Leave the other files out.');
  }
}

async function trustRootOf(
  flags: FileEvidenceFlags,
  { environment, signal }: CommandContext,
): Promise<TrustRoot> {
  const { trustedRoot, config, rekorUrl } = flags;
  if (trustedRoot !== undefined) return loadTrustRoot(trustedRoot, { signal });
  // With a key and nobody else's word there is nothing that a trust root could be asked.
  if (wantedWitness(flags) === 'nobody') return parseTrustRoot(emptyTrustRoot);
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
  readonly signer: ExpectedSigner;
  readonly trustRoot: TrustRoot;
  readonly context: CommandContext;
}

async function evidenceOf(flags: FileEvidenceFlags, parts: EvidenceParts): Promise<Evidence> {
  const { blob, signer, trustRoot, context } = parts;
  const { environment, signal } = context;
  if (flags.bundle !== undefined) return readBlobBundle(await readBlob(flags.bundle, { signal }), blob);
  const detached = await readDetached(flags, { signal });
  if (wantedWitness(flags) !== 'log') return evidenceOfSignature(detached, blob);
  if (flags.offline === true) {
    throw usageFault(
      'with --offline a signature must bring its log entry',
      'Give --bundle instead of --signature, or leave --offline out.',
    );
  }
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
  const entry = await findEntry(log, { blob, detached, signer }, { signal });
  return evidenceOfSignature({ ...detached, entry: encodeCosignEntry(entry) }, blob);
}
