import { z } from 'zod';
import type { ListedEntry } from '../transparency/rekor-v1-entry.ts';
import { readVerifier } from './entry-verifier.ts';
import type { EntryVerifier } from './entry-verifier.ts';

/** What an entry says of who signed what. */
export interface ReadEntry {
  readonly logIndex: number;
  readonly uuid: string;
  /** Seconds since the epoch, as the log tells it. */
  readonly integratedTime: number;
  /** E.g. `dsse`; empty if the entry is not even JSON. */
  readonly kind: string;
  /** Digest (`sha256:HEX` and the like) of the signed payload, for the kinds of which that is known. */
  readonly payloadDigest: string | undefined;
  /** Everybody whose certificate or key is anywhere in the entry. */
  readonly verifiers: readonly EntryVerifier[];
}

const digest = z
  .object({ algorithm: z.string().max(16), value: z.string().max(256) })
  .transform(({ algorithm, value }) => `${algorithm}:${value}`);
const payloadShape = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('dsse'), spec: z.object({ payloadHash: digest }) }),
  z.object({ kind: z.literal('hashedrekord'), spec: z.object({ data: z.object({ hash: digest }) }) }),
  z.object({ kind: z.literal('intoto'), spec: z.object({ content: z.object({ payloadHash: digest }) }) }),
]);
const kindShape = z.object({ kind: z.string() });

const pemBlock = /-----BEGIN (CERTIFICATE|PUBLIC KEY)-----[^-]{1,65536}-----END \1-----/g;
// Base64 of "-----BEGIN ", in which Rekor wraps PEM.
const wrappedPem = 'LS0tLS1CRUdJTi';
const maxVerifiers = 100;
const maxDepth = 32;

/**
 * Reads an entry of any kind. Certificates and keys are looked for in the whole entry, not in the places where one kind
 * has them: a kind that nobody here knows must not hide who signed.
 */
export function readEntry({ logIndex, uuid, integratedTime, body }: ListedEntry): ReadEntry {
  const json = parseJson(body);
  const verifiers = [...new Set(pemBlocksIn(json))].slice(0, maxVerifiers).flatMap((pem) => {
    const verifier = readVerifier(pem);
    return verifier === undefined ? [] : [verifier];
  });
  const kind = kindShape.safeParse(json).data?.kind ?? '';
  return { logIndex, uuid, integratedTime, kind, payloadDigest: payloadDigestOf(json), verifiers };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

function payloadDigestOf(json: unknown): string | undefined {
  const { data } = payloadShape.safeParse(json);
  if (data === undefined) return undefined;
  if (data.kind === 'hashedrekord') return data.spec.data.hash;
  return data.kind === 'dsse' ? data.spec.payloadHash : data.spec.content.payloadHash;
}

function* pemBlocksIn(value: unknown, depth = 0): Generator<string, void, undefined> {
  if (typeof value === 'string') {
    const text = value.startsWith(wrappedPem) ? Buffer.from(value, 'base64').toString('latin1') : value;
    for (const [block] of text.matchAll(pemBlock)) yield block;
  } else if (typeof value === 'object' && value !== null && depth < maxDepth) {
    for (const field of Object.values(value)) yield* pemBlocksIn(field, depth + 1);
  }
}
