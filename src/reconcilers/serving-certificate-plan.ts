import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { issueAuthority, issueLeaf, lifetimes } from './serving-certificate-issue.ts';
import type { CertificateState } from './serving-certificate-secret.ts';

/** What is to be done about a certificate, one step at a time. */
export type CertificateStep = 'keep' | 'renew-leaf' | 'rotate-authority' | 'drop-old-authorities';

/** For whom the certificate is. */
export interface CertificateSubject {
  /** Common name of the authority. */
  readonly name: string;
  /** DNS names and addresses under which callers reach the server. */
  readonly names: readonly string[];
}

// What is left of the life when the successor comes: a third of it.
const leafMarginMs = lifetimes.leafMs / 3;
const authorityMarginMs = lifetimes.authorityMs / 3;
/** So long a new authority is known to callers before a leaf of it is shown, and an old one after the last leaf of it. */
const overlapMs = 3_600_000;

/**
 * The next step. A new authority is first made known beside the old one, whose leaf stays in use: the next leaf, an hour
 * later at the earliest, is the first of the new one, and the old one goes once no leaf of it can be alive.
 */
export function planCertificate(
  state: CertificateState,
  { names }: CertificateSubject,
  now: Date,
): CertificateStep {
  const leaf = new X509Certificate(state.leaf.certificatePem);
  const authority = new X509Certificate(state.authority.certificatePem);
  const knownMs = now.getTime() - authority.validFromDate.getTime() - lifetimes.skewMs;
  if (leftMs(authority, now) <= authorityMarginMs) return 'rotate-authority';
  if (!covers(leaf, names) || leftMs(leaf, now) <= 0) return 'renew-leaf';
  const isKnown = state.trusted.length === 1 || knownMs >= overlapMs;
  if (leftMs(leaf, now) <= leafMarginMs && isKnown) return 'renew-leaf';
  // Since the authority is known, its leaves alone were issued.
  const isLastOldLeafGone = knownMs > lifetimes.leafMs + overlapMs;
  return state.trusted.length > 1 && isLastOldLeafGone ? 'drop-old-authorities' : 'keep';
}

/** Takes a step. Only the last authority's key is kept, so nobody can issue by an older one any more. */
export async function takeStep(
  step: Exclude<CertificateStep, 'keep'>,
  state: CertificateState,
  { subject, now }: { readonly subject: CertificateSubject; readonly now: Date },
): Promise<CertificateState> {
  const { authority } = state;
  switch (step) {
    case 'drop-old-authorities':
      return { ...state, trusted: [authority.certificatePem] };
    case 'renew-leaf':
      return { ...state, leaf: await issueLeaf(authority, subject.names, now) };
    case 'rotate-authority': {
      const isAlive = leftMs(new X509Certificate(state.leaf.certificatePem), now) > 0;
      if (!isAlive) return startAnew(subject, now);
      const next = await issueAuthority(subject.name, now);
      const alive = state.trusted.filter((pem) => leftMs(new X509Certificate(pem), now) > 0);
      return { ...state, authority: next, trusted: [next.certificatePem, ...alive] };
    }
  }
}

/** An authority and a leaf where there is nothing to go on from. */
export async function startAnew({ name, names }: CertificateSubject, now: Date): Promise<CertificateState> {
  const authority = await issueAuthority(name, now);
  const leaf = await issueLeaf(authority, names, now);
  return { leaf, authority, trusted: [authority.certificatePem] };
}

function leftMs(certificate: X509Certificate, now: Date): number {
  return certificate.validToDate.getTime() - now.getTime();
}

function covers(leaf: X509Certificate, names: readonly string[]): boolean {
  return names.every((name) => (isIP(name) === 0 ? leaf.checkHost(name) : leaf.checkIP(name)) !== undefined);
}
