import { X509Certificate } from '@sigstore/core';
import { ASN1Obj } from '@sigstore/core';
import { RE2JS } from 're2js';
import { AppError, messageOf } from '../model/errors.ts';

/** Who a Fulcio certificate was issued to, and by whose word. */
export interface CertificateIdentity {
  /** The subject alternative name: a URI, an e-mail address or Fulcio's user name. */
  readonly subject: string;
  /** The OpenID Connect issuer. */
  readonly issuer: string;
}

/** A text to be matched exactly, or an RE2 expression that must be found anywhere in it (Go's `regexp.MatchString`). */
export type TextMatch =
  | { readonly kind: 'exact'; readonly value: string }
  | { readonly kind: 'pattern'; readonly source: string; readonly expression: RE2JS };

/** An identity that is accepted. */
export interface IdentityMatch {
  readonly issuer: TextMatch;
  readonly subject: TextMatch;
}

const issuerV1 = '1.3.6.1.4.1.57264.1.1';
const issuerV2 = '1.3.6.1.4.1.57264.1.8';
const userNameOid = '1.3.6.1.4.1.57264.1.7';
const generalName = { otherName: 0, rfc822Name: 1, uri: 6 } as const;
const utf8StringTag = 0x0c;
const maxPatternLength = 4096;

/** A {@link TextMatch} for exactly `value`. */
export function exactly(value: string): TextMatch {
  return { kind: 'exact', value };
}

/** A {@link TextMatch} for an RE2 expression, unanchored as cosign's `--certificate-identity-regexp`. Throws ERR_IDENTITY_PATTERN. */
export function matching(source: string): TextMatch {
  try {
    if (source.length > maxPatternLength) throw new RangeError(`longer than ${maxPatternLength} characters`);
    return { kind: 'pattern', source, expression: RE2JS.compile(source) };
  } catch (error) {
    throw new AppError(
      'ERR_IDENTITY_PATTERN',
      `"${source.slice(0, 160)}" is no RE2 expression: ${messageOf(error)}`,
      {
        kind: 'permanent',
        remedy: 'Write the expression in RE2 syntax: no look-around, no back-references.',
        cause: error,
      },
    );
  }
}

/**
 * Subject and issuer of a certificate. Throws ERR_VERIFY_IDENTITY where it has none, or contradicting ones; an issuer that
 * is optional is empty where there is none.
 */
export function readIdentity(
  certificate: X509Certificate,
  { issuerIsOptional = false }: { readonly issuerIsOptional?: boolean } = {},
): CertificateIdentity {
  try {
    const issuer = readIssuer(certificate);
    if (issuer === '' && !issuerIsOptional) throw new Error('it names no issuer');
    return { subject: readSubject(certificate), issuer };
  } catch (error) {
    throw unidentified(messageOf(error), error);
  }
}

/** Passes if `found` is one of the `accepted` identities. Throws ERR_VERIFY_IDENTITY, naming found and expected. */
export function requireIdentity(found: CertificateIdentity, accepted: readonly IdentityMatch[]): void {
  const isAccepted = accepted.some(
    ({ issuer, subject }) => isMatch(issuer, found.issuer) && isMatch(subject, found.subject),
  );
  if (isAccepted) return;
  const expected = accepted.map(
    ({ issuer, subject }) => `${describe(subject)} by issuer ${describe(issuer)}`,
  );
  throw unidentified(
    `it is ${quote(found.subject)} by issuer ${quote(found.issuer)}, expected is ${expected.join(' or ') || 'none'}`,
  );
}

function readSubject(certificate: X509Certificate): string {
  const names = certificate.extSubjectAltName?.valueObj.subs[0]?.subs ?? [];
  const [name, another] = names;
  if (name === undefined || another !== undefined)
    throw new Error(`it has ${names.length} alternative names`);
  if (name.tag.isContextSpecific(generalName.uri) || name.tag.isContextSpecific(generalName.rfc822Name)) {
    return asciiOf(name.value);
  }
  const userName = name.tag.isContextSpecific(generalName.otherName)
    ? certificate.extSubjectAltName?.otherName(userNameOid)
    : undefined;
  if (userName === undefined) throw new Error('its alternative name is of an unknown kind');
  return userName;
}

/** The OpenID Connect issuer in Fulcio's extensions; empty where there is none. Throws an Error for contradicting ones. */
export function readIssuer(certificate: X509Certificate): string {
  const older = certificate.extension(issuerV1)?.value.toString('utf8');
  const newer = readUtf8(certificate.extension(issuerV2)?.value);
  if (older !== undefined && newer !== undefined && older !== newer) {
    throw new Error('its two issuer extensions contradict each other');
  }
  return newer ?? older ?? '';
}

function readUtf8(der: Uint8Array | undefined): string | undefined {
  if (der === undefined) return undefined;
  const parsed = ASN1Obj.parseBuffer(Buffer.from(der));
  if (!parsed.tag.isUniversal() || parsed.tag.number !== utf8StringTag)
    throw new Error('its issuer is no UTF8String');
  return new TextDecoder('utf-8', { fatal: true }).decode(parsed.value);
}

/** IA5String (RFC 5280 section 4.2.1.6). Node's own `ascii` decoder drops the high bit, which could make one name look like another. */
function asciiOf(bytes: Uint8Array): string {
  if (bytes.some((byte) => byte < 0x20 || byte > 0x7e))
    throw new Error('its alternative name is not printable ASCII');
  return Buffer.from(bytes).toString('latin1');
}

/** True if `found` is what is expected. */
export function isMatch(expected: TextMatch, found: string): boolean {
  return expected.kind === 'exact' ? expected.value === found : expected.expression.test(found);
}

function describe(match: TextMatch): string {
  return match.kind === 'exact' ? quote(match.value) : `/${match.source}/`;
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 512));
}

function unidentified(why: string, cause?: unknown): AppError {
  return new AppError('ERR_VERIFY_IDENTITY', `the certificate's identity is not accepted: ${why}`, {
    kind: 'permanent',
    remedy: 'Check who signed; or correct the expected identity and issuer.',
    ...(cause === undefined ? {} : { cause }),
  });
}
