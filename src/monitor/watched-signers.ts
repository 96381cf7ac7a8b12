import { isMatch } from '../signing/certificate-identity.ts';
import type { TextMatch } from '../signing/certificate-identity.ts';
import type { EntryVerifier } from './entry-verifier.ts';

/** Whose entries are watched for: identities in certificates, and long-lived keys. */
export interface WatchedSigners {
  readonly subjects: readonly TextMatch[];
  /** Who must have vouched for a subject; undefined: whoever it was. */
  readonly issuer: TextMatch | undefined;
  /** SHA-256 of public keys (SPKI), hex. */
  readonly fingerprints: ReadonlySet<string>;
}

/** True if a certificate or key of a log entry is one of those that are watched for. */
export function isWatched(
  { subjects, issuer, fingerprints }: WatchedSigners,
  { fingerprint, certificate }: EntryVerifier,
): boolean {
  if (fingerprints.has(fingerprint)) return true;
  if (certificate === undefined) return false;
  return (
    certificate.subjects.some((name) => subjects.some((expected) => isMatch(expected, name))) &&
    (issuer === undefined || isMatch(issuer, certificate.issuer))
  );
}
