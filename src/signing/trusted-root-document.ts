import { X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { AppError } from '../model/errors.ts';
import { encodePublicKey, keyIdOf, noteIdOf } from './log-identity.ts';

/** Media type of the trust roots that we write: the one that sigstore-go, and so cosign, reads. */
export const trustedRootMediaType = 'application/vnd.dev.sigstore.trustedroot+json;version=0.1';

const maxListed = 100;
const maxChain = 16;
const base64 = z
  .base64()
  .min(1)
  .max(64 * 1024);
const instant = z.iso.datetime({ offset: true });
const name = z.string().max(1024);

/** From when to when a key counts; without an end, for ever. */
export const validitySchema = z.strictObject({
  start: instant.exactOptional(),
  end: instant.exactOptional(),
});

const logSchema = z.strictObject({
  baseUrl: name,
  hashAlgorithm: z.string(),
  publicKey: z.strictObject({
    rawBytes: base64,
    keyDetails: z.string(),
    validFor: validitySchema.exactOptional(),
  }),
  logId: z.strictObject({ keyId: base64 }),
  checkpointKeyId: z.strictObject({ keyId: base64 }).exactOptional(),
  operator: name.exactOptional(),
});
const authoritySchema = z.strictObject({
  subject: z
    .strictObject({ organization: name.exactOptional(), commonName: name.exactOptional() })
    .exactOptional(),
  uri: name.exactOptional(),
  certChain: z.strictObject({
    certificates: z
      .array(z.strictObject({ rawBytes: base64 }))
      .min(1)
      .max(maxChain),
  }),
  validFor: validitySchema.exactOptional(),
  operator: name.exactOptional(),
});

/**
 * Shape of a `trusted_root.json` (protobuf-specs, sigstore_trustroot.proto, `TrustedRoot`) without unknown fields, which
 * sigstore-go refuses. What its keys are worth is for trusted-root-check.ts.
 */
export const trustedRootSchema = z.strictObject({
  mediaType: z
    .string()
    .regex(/^application\/vnd\.dev\.sigstore\.trustedroot(?:\+json;version=0\.[12]|\.v0\.[12]\+json)$/),
  tlogs: z.array(logSchema).max(maxListed).default([]),
  certificateAuthorities: z.array(authoritySchema).max(maxListed).default([]),
  ctlogs: z.array(logSchema).max(maxListed).default([]),
  timestampAuthorities: z.array(authoritySchema).max(maxListed).default([]),
});

export type TrustedRootDocument = z.output<typeof trustedRootSchema>;
export type LogInstance = TrustedRootDocument['tlogs'][number];
export type AuthorityInstance = TrustedRootDocument['certificateAuthorities'][number];
export type Validity = z.output<typeof validitySchema>;

/** A log that is to be trusted. */
export interface LogDescription {
  readonly baseUrl: string;
  readonly key: KeyObject;
  readonly validFor: Validity;
  /** First line of its checkpoints, for logs that are known by these: Rekor v2. */
  readonly origin?: string;
}

/** An authority that is to be trusted. */
export interface AuthorityDescription {
  readonly uri: string;
  /** DER, the root last. */
  readonly certificates: readonly [Uint8Array, ...Uint8Array[]];
  readonly validFor: Validity;
}

/** A log as a trust root has it. Throws ERR_KEY_UNSUPPORTED. */
export function toLogInstance({ baseUrl, key, validFor, origin }: LogDescription): LogInstance {
  const encoded = encodePublicKey(key);
  if (encoded === undefined) {
    throw new AppError('ERR_KEY_UNSUPPORTED', `the key of ${baseUrl} is of a kind that no log has`, {
      kind: 'permanent',
      object: baseUrl,
      remedy: 'Give an ECDSA (P-256, P-384, P-521), RSA or Ed25519 key.',
    });
  }
  const id = origin === undefined ? keyIdOf(key) : noteIdOf(origin, key);
  return {
    baseUrl,
    hashAlgorithm: 'SHA2_256',
    publicKey: { ...encoded, validFor },
    logId: { keyId: id.toString('base64') },
  };
}

/** An authority as a trust root has it, with the subject of its root. */
export function toAuthorityInstance({
  uri,
  certificates,
  validFor,
}: AuthorityDescription): AuthorityInstance {
  const root = new X509Certificate(certificates.at(-1) ?? certificates[0]);
  return {
    subject: { organization: attributeOf(root, 'O'), commonName: attributeOf(root, 'CN') },
    uri,
    certChain: {
      certificates: certificates.map((bytes) => ({ rawBytes: Buffer.from(bytes).toString('base64') })),
    },
    validFor,
  };
}

/** The text of a trust root, each list in the order of the validities' starts, as sigstore-go writes it. */
export function formatTrustedRoot(document: TrustedRootDocument): string {
  const ordered: TrustedRootDocument = {
    mediaType: document.mediaType,
    tlogs: byStart(document.tlogs, ({ publicKey }) => publicKey.validFor),
    certificateAuthorities: byStart(document.certificateAuthorities, ({ validFor }) => validFor),
    ctlogs: byStart(document.ctlogs, ({ publicKey }) => publicKey.validFor),
    timestampAuthorities: byStart(document.timestampAuthorities, ({ validFor }) => validFor),
  };
  return `${JSON.stringify(ordered, undefined, 2)}\n`;
}

function byStart<T>(list: readonly T[], validityOf: (one: T) => Validity | undefined): T[] {
  const startOf = (one: T): number => Date.parse(validityOf(one)?.start ?? '1970-01-01T00:00:00Z');
  return list.toSorted((a, b) => startOf(a) - startOf(b));
}

function attributeOf(certificate: X509Certificate, type: 'O' | 'CN'): string {
  const line = certificate.subject.split('\n').find((one) => one.startsWith(`${type}=`));
  return line?.slice(type.length + 1) ?? '';
}
