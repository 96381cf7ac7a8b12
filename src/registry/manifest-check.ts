import { createDigestCheck, digestOf } from '../model/digest.ts';
import { parseManifest } from './manifest-parser.ts';
import { digestMismatch } from './registry-faults.ts';
import type { Digest } from '../model/digest.ts';
import type { StoredManifest } from './image-store.ts';

/** What is known of a manifest's bytes before they are believed. */
export interface ManifestClaim {
  /** The manifest's name for messages. */
  readonly object: string;
  /** The digest that was asked for or stated. */
  readonly expected?: Digest;
  readonly contentType?: string | undefined;
}

/** Checks the bytes' digest, then parses those bytes. Throws ERR_REGISTRY_DIGEST_MISMATCH, ERR_REGISTRY_MANIFEST. */
export function storedManifest(bytes: Uint8Array, claim: ManifestClaim): StoredManifest {
  const digest = claim.expected ?? digestOf(bytes);
  const check = createDigestCheck(digest);
  check.update(bytes);
  if (!check.matches()) throw digestMismatch(claim.object, digest);
  const { mediaType, manifest } = parseManifest(bytes, claim.contentType, claim.object);
  return { descriptor: { mediaType, digest, size: bytes.byteLength }, bytes, manifest };
}
