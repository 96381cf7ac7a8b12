import { hash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toTrustMaterial } from '@sigstore/verify';
import type { TrustMaterial } from '@sigstore/verify';
import { z } from 'zod';
import { AppError, messageOf } from '../model/errors.ts';
import { forSigstoreVerify } from './log-identity.ts';

/** The authorities and logs that are trusted: a parsed and checked `trusted_root.json` (protobuf-specs, trustroot.proto). */
export interface TrustRoot {
  /** In the form that @sigstore/verify takes. */
  readonly material: TrustMaterial;
  /** SHA-256 of the document, hex: tells versions of a trust root apart, for caches. */
  readonly version: string;
}

/** A transparency log's key, as a log client takes it. */
export interface TrustedLogKey {
  /** Lower-case hex. */
  readonly logId: string;
  readonly baseUrl: string;
  readonly publicKey: KeyObject;
}

/** Trusts nobody: what a bare key signed, without any witness, needs no more. */
export const noTrust: TrustRoot = {
  material: {
    certificateAuthorities: [],
    timestampAuthorities: [],
    tlogs: [],
    ctlogs: [],
    publicKey: () => {
      throw new AppError('ERR_TRUST_ROOT', 'no trust root is given', { kind: 'permanent' });
    },
  },
  version: 'none',
};

const maxBytes = 4 * 1024 * 1024;
const maxAuthorities = 100;
const maxChain = 16;

const base64 = z
  .base64()
  .min(1)
  .max(64 * 1024);
const publicKey = z.looseObject({ rawBytes: base64, keyDetails: z.string().min(1) });
const log = z.looseObject({
  baseUrl: z.string().min(1).max(1024),
  publicKey,
  logId: z.looseObject({ keyId: base64 }),
});
const authority = z.looseObject({
  certChain: z.looseObject({
    certificates: z
      .array(z.looseObject({ rawBytes: base64 }))
      .min(1)
      .max(maxChain),
  }),
});
const document = z.looseObject({
  mediaType: z
    .string()
    .regex(/^application\/vnd\.dev\.sigstore\.trustedroot(?:\+json;version=0\.[12]|\.v0\.[12]\+json)$/),
  tlogs: z.array(log).max(maxAuthorities).default([]),
  certificateAuthorities: z.array(authority).max(maxAuthorities).default([]),
  ctlogs: z.array(log).max(maxAuthorities).default([]),
  timestampAuthorities: z.array(authority).max(maxAuthorities).default([]),
});

/**
 * Parses the JSON text of a trust root: media type v0.1 or v0.2, every log with key and id, every authority with its
 * chain, all keys and certificates readable. Throws ERR_TRUST_ROOT; `object` names the document in the message.
 */
export function parseTrustRoot(text: string, object = 'the trust root'): TrustRoot {
  if (text.length > maxBytes) throw refuse(object, 'it is too large');
  try {
    const json: unknown = JSON.parse(text);
    const checked = document.parse(json);
    const material = toTrustMaterial(TrustedRoot.fromJSON(readable(checked)));
    return { material, version: hash('sha256', text, 'hex') };
  } catch (error) {
    throw refuse(object, error instanceof z.ZodError ? firstIssue(error) : messageOf(error), error);
  }
}

/** Reads and parses a `trusted_root.json`. Throws ERR_TRUST_ROOT. */
export async function loadTrustRoot(
  path: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<TrustRoot> {
  let text: string;
  try {
    text = await readFile(path, { encoding: 'utf8', signal });
  } catch (error) {
    signal.throwIfAborted();
    throw refuse(path, messageOf(error), error);
  }
  return parseTrustRoot(text, path);
}

/** The keys of all transparency logs in the trust root, or of those whose validity includes `at`. */
export function logKeysOf({ material }: TrustRoot, at?: Date): readonly TrustedLogKey[] {
  const logs = material.tlogs.filter(
    ({ validFor }) => at === undefined || (validFor.start <= at && at <= validFor.end),
  );
  return logs.map(({ logID, baseURL, publicKey: key }) => ({
    logId: logID.toString('hex'),
    baseUrl: baseURL,
    publicKey: key,
  }));
}

/** With the keys of logs as @sigstore/verify reads them. */
function readable(root: z.output<typeof document>): z.output<typeof document> {
  const withReadableKey = (one: z.output<typeof log>): z.output<typeof log> => ({
    ...one,
    publicKey: { ...one.publicKey, ...forSigstoreVerify(one.publicKey) },
  });
  return { ...root, tlogs: root.tlogs.map(withReadableKey), ctlogs: root.ctlogs.map(withReadableKey) };
}

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  return issue === undefined ? 'it is malformed' : `${issue.path.join('.')}: ${issue.message}`;
}

function refuse(object: string, why: string, cause?: unknown): AppError {
  return new AppError('ERR_TRUST_ROOT', `${object} cannot be used as trust root: ${why}`, {
    kind: 'permanent',
    object,
    remedy: 'Give a trusted_root.json as "cosign trusted-root create" writes it.',
    ...(cause === undefined ? {} : { cause }),
  });
}
