import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import type { ListedEntry } from '../transparency/log-reader.ts';
import { readVerifier } from './entry-verifier.ts';
import type { EntryVerifier } from './entry-verifier.ts';

/** What an entry says of who signed what. */
export interface ReadEntry {
  readonly logIndex: number;
  readonly uuid: string;
  /** Seconds since the epoch, as the log tells it; undefined where it keeps no time (Rekor v2). */
  readonly integratedTime: number | undefined;
  /** E.g. `dsse`; empty if the entry is not even JSON. */
  readonly kind: string;
  /**
   * Digest (`sha256:HEX` and the like) that the entry holds of what was signed, for the kinds of which that is known: the
   * payload, or for an envelope in Rekor v2's `hashedrekord` DSSE's encoding of it.
   */
  readonly payloadDigest: string | undefined;
  /** Everybody whose certificate or key is anywhere in the entry. */
  readonly verifiers: readonly EntryVerifier[];
}

const digest = z
  .object({ algorithm: z.string().max(16), value: z.string().max(256) })
  .transform(({ algorithm, value }) => `${algorithm}:${value}`);
const newerDigest = z
  .object({ algorithm: z.enum(['SHA2_256', 'SHA2_384', 'SHA2_512']), digest: z.base64().max(256) })
  .transform(
    ({ algorithm, digest: encoded }) =>
      `sha${algorithm.slice(5)}:${Buffer.from(encoded, 'base64').toString('hex')}`,
  );
/** Where each kind has the digest: Rekor v1's (0.0.1, `intoto` 0.0.2) and Rekor v2's (0.0.2). */
const digestShapes: Readonly<Record<string, readonly z.ZodType<string>[]>> = {
  dsse: [
    at(z.object({ payloadHash: digest }), ({ payloadHash }) => payloadHash),
    at(
      z.object({ dsseV002: z.object({ payloadHash: newerDigest }) }),
      ({ dsseV002 }) => dsseV002.payloadHash,
    ),
  ],
  hashedrekord: [
    at(z.object({ data: z.object({ hash: digest }) }), ({ data }) => data.hash),
    at(
      z.object({ hashedRekordV002: z.object({ data: newerDigest }) }),
      ({ hashedRekordV002 }) => hashedRekordV002.data,
    ),
  ],
  intoto: [
    at(z.object({ content: z.object({ payloadHash: digest }) }), ({ content }) => content.payloadHash),
  ],
};
const entryShape = z.object({ kind: z.string(), spec: z.unknown() });

const pemBlock = /-----BEGIN (CERTIFICATE|PUBLIC KEY)-----[^-]{1,65536}-----END \1-----/g;
// Base64 of "-----BEGIN ", in which Rekor wraps PEM.
const wrappedPem = 'LS0tLS1CRUdJTi';
// An object whose first member is one too, as certificates and public keys begin; a signature begins with a number.
const derStart = 0x30;
const maxDepth = 32;
// Some ten milliseconds' work.
const blocksAtOnce = 100;

/**
 * Reads an entry of any kind. Certificates and keys are looked for in the whole entry, not in the places where one kind
 * has them: a kind that nobody here knows must not hide who signed, nor must many other signers. The size of what a log
 * answers bounds their number.
 */
export async function readEntry({ logIndex, uuid, integratedTime, body }: ListedEntry): Promise<ReadEntry> {
  const json = parseJson(body);
  const verifiers: EntryVerifier[] = [];
  for (const [at, block] of [...new Set(textsIn(json))].flatMap(blocksIn).entries()) {
    // Whoever logs an entry with very many must not keep the process from all else, such as its Lease.
    if (at % blocksAtOnce === blocksAtOnce - 1) await setImmediate();
    const verifier = readVerifier(block);
    if (verifier !== undefined) verifiers.push(verifier);
  }
  const { kind = '', spec } = entryShape.safeParse(json).data ?? {};
  const payloadDigest = payloadDigestOf(kind, spec);
  return { logIndex, uuid, integratedTime, kind, payloadDigest, verifiers };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

function payloadDigestOf(kind: string, spec: unknown): string | undefined {
  const shapes = Object.hasOwn(digestShapes, kind) ? (digestShapes[kind] ?? []) : [];
  for (const shape of shapes) {
    const { data } = shape.safeParse(spec);
    if (data !== undefined) return data;
  }
  return undefined;
}

function at<Spec>(shape: z.ZodType<Spec>, find: (spec: Spec) => string): z.ZodType<string> {
  return shape.transform(find);
}

function* textsIn(value: unknown, depth = 0): Generator<string, void, undefined> {
  if (typeof value === 'string') {
    yield value;
  } else if (typeof value === 'object' && value !== null && depth < maxDepth) {
    for (const field of Object.values(value)) yield* textsIn(field, depth + 1);
  }
}

/** The certificates and keys in a text: PEM as it is, PEM in base64 as Rekor v1 has it, or DER in base64 as Rekor v2 does. */
function blocksIn(text: string): readonly (string | Buffer)[] {
  if (text.startsWith('M')) {
    const der = Buffer.from(text, 'base64');
    return isNestedSequence(der) ? [der] : [];
  }
  const pem = text.startsWith(wrappedPem) ? Buffer.from(text, 'base64').toString('latin1') : text;
  return [...pem.matchAll(pemBlock)].map(([block]) => block);
}

function isNestedSequence(der: Buffer): boolean {
  const long = der[1] ?? 0;
  return der[0] === derStart && der[long < 0x80 ? 2 : 2 + (long & 0x7f)] === derStart;
}
