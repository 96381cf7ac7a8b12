import type { KeyObject } from 'node:crypto';
import { messageOf } from '../model/errors.ts';
import { checkAuthorityChain } from './authority-chain-check.ts';
import type { AuthorityPurpose } from './authority-chain-check.ts';
import { decodePublicKey, keyIdOf, noteIdOf } from './log-identity.ts';
import { findingsAt } from './trust-finding.ts';
import type { FindingsAt, TrustFinding } from './trust-finding.ts';
import { trustedRootMediaType } from './trusted-root-document.ts';
import type { AuthorityInstance, LogInstance, TrustedRootDocument } from './trusted-root-document.ts';
import { boundsOf, checkSuccession, checkValidity, stateAt } from './validity-check.ts';

const logLists = ['tlogs', 'ctlogs'] as const;
const authorityLists = ['certificateAuthorities', 'timestampAuthorities'] as const;

/**
 * What is wrong with a trust root whose shape is right: keys and chains that cannot be used, ids that are not those of
 * the keys, validities that make no sense by themselves or together, and what cosign would refuse. Pure.
 */
export function checkTrustedRoot(document: TrustedRootDocument, now: Date): readonly TrustFinding[] {
  const findings: TrustFinding[] = [];
  const at = (where: string): FindingsAt => findingsAt(findings, where);
  if (document.mediaType !== trustedRootMediaType) {
    at('mediaType').warning('media-type', `cosign reads ${trustedRootMediaType} only`);
  }
  for (const list of logLists) checkLogs(list, document[list], at);
  for (const list of authorityLists) checkAuthorities(list, document[list], at);
  checkCoverage(document, now, at);
  return findings;
}

function checkLogs(list: string, logs: readonly LogInstance[], at: (where: string) => FindingsAt): void {
  const seen = new Map<string, string>();
  logs.forEach((log, index) => {
    const where = `${list}[${index}]`;
    checkLog(log, at(where));
    const { keyId } = log.logId;
    const other = seen.get(keyId);
    // sigstore-go keeps logs by their ids, so that one of the two is lost.
    if (other !== undefined) at(where).error('duplicate', `it has the log id of ${other}`);
    seen.set(keyId, where);
  });
  checkSuccessions(
    logs.map(({ baseUrl, publicKey }, index) => ({
      url: baseUrl,
      where: `${list}[${index}]`,
      validFor: publicKey.validFor,
    })),
    at,
  );
}

function checkLog({ baseUrl, hashAlgorithm, publicKey, logId }: LogInstance, found: FindingsAt): void {
  checkUrl(baseUrl, found);
  if (hashAlgorithm !== 'SHA2_256') found.error('hash-algorithm', `cosign refuses ${hashAlgorithm}`);
  if (publicKey.validFor?.start === undefined)
    found.error('validity', 'it has no start, which cosign demands');
  checkValidity(publicKey.validFor, found);
  let key: KeyObject;
  try {
    key = decodePublicKey(publicKey);
  } catch (error) {
    found.error('key', `the key cannot be read: ${messageOf(error)}`);
    return;
  }
  const { modulusLength = 2048 } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < 2048) found.error('key', `an RSA key of ${modulusLength} bits is too short`);
  const id = Buffer.from(logId.keyId, 'base64');
  if (!id.equals(keyIdOf(key)) && !id.equals(noteIdOf(hostOf(baseUrl), key))) {
    found.error(
      'log-id',
      `${id.toString('hex')} is neither the SHA-256 of the key nor its id in checkpoints of ${hostOf(baseUrl)}`,
    );
  }
}

function checkAuthorities(
  list: (typeof authorityLists)[number],
  authorities: readonly AuthorityInstance[],
  at: (where: string) => FindingsAt,
): void {
  const purpose: AuthorityPurpose = list === 'certificateAuthorities' ? 'signing' : 'timestamping';
  const seen = new Map<string, string>();
  authorities.forEach((authority, index) => {
    const where = `${list}[${index}]`;
    checkAuthority(authority, purpose, at(where));
    const chain = authority.certChain.certificates.map(({ rawBytes }) => rawBytes).join();
    const other = seen.get(chain);
    if (other !== undefined) at(where).warning('duplicate', `it has the chain of ${other}`);
    seen.set(chain, where);
  });
  checkSuccessions(
    authorities.map(({ uri = '', validFor }, index) => ({ url: uri, where: `${list}[${index}]`, validFor })),
    at,
  );
}

function checkAuthority(authority: AuthorityInstance, purpose: AuthorityPurpose, found: FindingsAt): void {
  const { uri = '', validFor } = authority;
  if (uri !== '') checkUrl(uri, found);
  checkValidity(validFor, found);
  const chain = checkAuthorityChain(authority, purpose, found) ?? [];
  const { start, end } = boundsOf(validFor);
  for (const { notBefore, notAfter } of chain) {
    if (start >= notAfter.getTime() || end <= notBefore.getTime()) {
      found.error(
        'validity',
        `it never counts: a certificate of the chain is valid from ${notBefore.toISOString()} to ${notAfter.toISOString()}`,
      );
    }
  }
}

function checkUrl(url: string, found: FindingsAt): void {
  if (!URL.canParse(url)) found.error('url', `"${url.slice(0, 200)}" is no URL`);
  else if (!/^https?:$/.test(new URL(url).protocol)) found.error('url', `${url} is neither https nor http`);
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : '';
}

interface Placed {
  readonly url: string;
  readonly where: string;
  readonly validFor: LogInstance['publicKey']['validFor'] | undefined;
}

function checkSuccessions(placed: readonly Placed[], at: (where: string) => FindingsAt): void {
  const named = placed.filter(({ url }) => url !== '');
  for (const windows of Map.groupBy(named, ({ url }) => url).values()) checkSuccession(windows, at);
}

/** What is missing from a whole that has no fault in its parts. */
function checkCoverage(
  { tlogs, ctlogs, certificateAuthorities, timestampAuthorities }: TrustedRootDocument,
  now: Date,
  at: (where: string) => FindingsAt,
): void {
  const isCurrent = (validFor: Placed['validFor']): boolean => stateAt(validFor, now) === 'current';
  const kinds = {
    tlogs: tlogs.map(({ publicKey }) => publicKey.validFor),
    ctlogs: ctlogs.map(({ publicKey }) => publicKey.validFor),
    certificateAuthorities: certificateAuthorities.map(({ validFor }) => validFor),
    timestampAuthorities: timestampAuthorities.map(({ validFor }) => validFor),
  };
  for (const [list, validities] of Object.entries(kinds)) {
    if (validities.length > 0 && !validities.some(isCurrent)) {
      at(list).error('coverage', 'none of them counts now: what is signed today cannot be verified');
    }
  }
  if (certificateAuthorities.length > 0 && tlogs.length + timestampAuthorities.length === 0) {
    at('tlogs').error(
      'coverage',
      'without a log or timestamp authority no keyless signature can be verified',
    );
  }
  if (certificateAuthorities.length > 0 && ctlogs.length === 0) {
    at('ctlogs').warning(
      'coverage',
      'without a certificate log signatures verify only with --insecure-ignore-sct',
    );
  }
  if (Object.values(kinds).every((validities) => validities.length === 0)) {
    at('').error('coverage', 'it trusts nothing');
  }
}
