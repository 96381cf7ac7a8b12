import { z } from 'zod';
import { isDigest } from '../model/digest.ts';
import type { Digest } from '../model/digest.ts';
import { AppError } from '../model/errors.ts';
import { limits } from '../model/limits.ts';
import { parseStrictJson } from './strict-json.ts';
import type { JsonValue } from './strict-json.ts';

const signatureType = 'cosign container image signature';

/** What an image signature in cosign's tag layout says. */
export interface SimpleSigning {
  /** The claimed name of the image: `HOST/PATH`, or as the signer wished. */
  readonly dockerReference: string;
  readonly digest: Digest;
  /** Annotations of the signer (`cosign sign -a`). */
  readonly optional: Readonly<Record<string, JsonValue>>;
}

/** The payload of an image signature, byte by byte as cosign writes it: annotations, if there are any, sorted by name. */
export function encodeSimpleSigning(image: {
  readonly dockerReference: string;
  readonly digest: Digest;
  readonly optional?: Readonly<Record<string, string>> | undefined;
}): Buffer {
  const critical = {
    identity: { 'docker-reference': image.dockerReference },
    image: { 'docker-manifest-digest': image.digest },
    type: signatureType,
  };
  return Buffer.from(JSON.stringify({ critical, optional: sorted(image.optional) }));
}

function sorted(optional: Readonly<Record<string, string>> = {}): object | null {
  const entries = Object.entries(optional).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? null : Object.fromEntries(entries);
}

const payloadShape = z.object({
  critical: z.strictObject({
    identity: z.strictObject({ 'docker-reference': z.string() }),
    image: z.strictObject({ 'docker-manifest-digest': z.custom<Digest>(isDigest, 'is no digest') }),
    type: z.literal(signatureType),
  }),
  optional: z
    .record(z.string(), z.custom<JsonValue>())
    .nullish()
    .transform((optional) => optional ?? {}),
});

/**
 * Parses the payload of an image signature (containers/image, containers-signature.5, "JSON data format"; a member of
 * `critical` that is not known is refused as that text demands). Nothing is verified. Throws ERR_SIMPLE_SIGNING.
 */
export function parseSimpleSigning(bytes: Uint8Array): SimpleSigning {
  const json = parseStrictJson(bytes, limits.jsonBytes);
  if ('fault' in json) throw malformed(json.fault);
  const parsed = payloadShape.safeParse(json.value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw malformed(`${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim());
  }
  const { critical, optional } = parsed.data;
  return {
    dockerReference: critical.identity['docker-reference'],
    digest: critical.image['docker-manifest-digest'],
    optional,
  };
}

function malformed(why: string): AppError {
  return new AppError('ERR_SIMPLE_SIGNING', `this is no payload of an image signature: ${why}`, {
    kind: 'permanent',
    remedy: 'Sign the image again; if the signature is not yours, find out who pushed it.',
  });
}
