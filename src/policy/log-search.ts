import { X509Certificate, hash } from 'node:crypto';
import type { TransparencyLogEntry } from '@sigstore/bundle';
import type { Dispatcher } from 'undici';
import type { Clock } from '../model/clock.ts';
import { AppError } from '../model/errors.ts';
import { encodePem } from '../model/signature.ts';
import { hashFor, isSignatureValid } from '../signing/signature-algorithm.ts';
import type { ExpectedSigner } from '../signing/verification.ts';
import { searchRekorV1 } from '../transparency/rekor-v1-search.ts';
import type { LogProposal } from '../transparency/transparency-log.ts';
import type { EvidencePiece } from './image-evidence.ts';

/** The entries that a log has for something, unverified. Throws ERR_POLICY_REFERENCE, and what the log's client throws. */
export type LogSearch = (
  log: string,
  proposal: LogProposal,
  options: { readonly signal: AbortSignal },
) => Promise<readonly TransparencyLogEntry[]>;

// A review ends after 10 s, and its answer has to say which log it was that kept silent.
const deadlineMs = 5000;

/** Searches Rekor v1 at any http or https address; redirects are not followed. */
export function openLogSearch(parts: {
  /** The connections to a host (`HOST[:PORT]`). */
  readonly dispatcherFor: (host: string) => Dispatcher | Promise<Dispatcher>;
  readonly clock: Clock;
}): LogSearch {
  return async (log, proposal, { signal }) => {
    const url = URL.canParse(log) ? new URL(log) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol)) throw noAddress(log);
    const dispatcher = await parts.dispatcherFor(url.host);
    const options = { url: log, dispatcher, clock: parts.clock, deadlineMs };
    const found = await searchRekorV1(options, proposal, { signal });
    return found.flatMap(({ logId, kindVersion, ...entry }) =>
      logId === undefined || kindVersion === undefined ? [] : [{ ...entry, logId, kindVersion }],
    );
  };
}

/**
 * What a log was told of evidence when it was signed, as cosign tells it; undefined where that cannot be known: of a
 * bundle, whose envelope is written anew, and of a signature that Rekor's `hashedrekord` has no hash for.
 */
export function proposalFor(
  { evidence, material }: EvidencePiece,
  signer: ExpectedSigner,
): LogProposal | undefined {
  if (evidence.layout !== 'tag' || material === undefined) return undefined;
  const { publicKey, verifierPem } = verifierOf(material, signer) ?? {};
  if (publicKey === undefined || verifierPem === undefined) return undefined;
  if (material.payloadType !== undefined) {
    return { kind: 'dsse', envelope: Buffer.from(evidence.content).toString('utf8'), verifierPem };
  }
  const { payload, signature } = material;
  const payloadSha256 = hash('sha256', payload);
  const own = hashFor(publicKey);
  if (own === undefined) return undefined;
  const algorithm = ([own, 'sha256'] as const).find((one) =>
    isSignatureValid(publicKey, payload, signature, one),
  );
  if (algorithm === undefined) return undefined;
  const digest = { algorithm, hex: hash(algorithm, payload) };
  return { kind: 'hashedrekord', payloadSha256, digest, signature, verifierPem };
}

function verifierOf(
  { bundle }: NonNullable<EvidencePiece['material']>,
  signer: ExpectedSigner,
): { readonly publicKey: X509Certificate['publicKey']; readonly verifierPem: string } | undefined {
  if (signer.kind === 'key') {
    const { publicKey } = signer;
    const der = publicKey.export({ format: 'der', type: 'spki' });
    return { publicKey, verifierPem: encodePem('PUBLIC KEY', der) };
  }
  const certificate = certificateOf(bundle);
  return certificate && { publicKey: certificate.publicKey, verifierPem: certificate.toString() };
}

/** The signer's certificate in evidence; undefined if there is none. */
export function certificateOf({
  verificationMaterial: { content },
}: NonNullable<EvidencePiece['material']>['bundle']): X509Certificate | undefined {
  return content.$case === 'certificate' ? new X509Certificate(content.certificate.rawBytes) : undefined;
}

function noAddress(log: string): AppError {
  const shown = log.slice(0, 200);
  return new AppError('ERR_POLICY_REFERENCE', `ctlog.url "${shown}" is no http or https address`, {
    kind: 'permanent',
    object: shown,
    remedy: 'Write the address of the Rekor instance, or leave ctlog.url out.',
  });
}
