import { isMatch } from '../signing/certificate-identity.ts';
import type { TextMatch } from '../signing/certificate-identity.ts';
import type { EntryVerifier } from './entry-verifier.ts';

/** An identity that is watched for. */
export interface WatchedIdentity {
  readonly subject: TextMatch;
  /** Who must have vouched for the subject; undefined: whoever it was. */
  readonly issuer: TextMatch | undefined;
}

/** Whose entries are watched for: identities in certificates, and long-lived keys. */
export interface WatchedSigners {
  readonly identities: readonly WatchedIdentity[];
  /** SHA-256 of public keys (SPKI), hex. */
  readonly fingerprints: ReadonlySet<string>;
}

/** True if a certificate or key of a log entry is one of those that are watched for. */
export function isWatched(
  { identities, fingerprints }: WatchedSigners,
  { fingerprint, certificate }: EntryVerifier,
): boolean {
  if (fingerprints.has(fingerprint)) return true;
  if (certificate === undefined) return false;
  return identities.some(
    ({ subject, issuer }) =>
      certificate.subjects.some((name) => isMatch(subject, name)) &&
      (issuer === undefined || isMatch(issuer, certificate.issuer)),
  );
}
