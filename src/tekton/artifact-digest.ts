/** Digests of one thing by algorithm, hex each (in-toto attestation specification, DigestSet). */
export type DigestSet = Readonly<Record<string, string>>;

const hexLengths: Readonly<Record<string, number>> = { sha1: 40, sha256: 64, sha384: 96, sha512: 128 };
const lowerHex = /^[0-9a-f]+$/;

/**
 * Reads `ALGORITHM:HEX` by the rules of Chains' type hints: exactly one colon, the algorithm in any case, one of sha1,
 * sha256, sha384, sha512, and lower-case hex of its length. Gives undefined for anything else.
 */
export function findArtifactDigest(
  text: string,
): { readonly algorithm: string; readonly hex: string } | undefined {
  const [algorithm, hex, extra] = text.split(':');
  if (algorithm === undefined || hex === undefined || extra !== undefined) return undefined;
  const digest = { algorithm: algorithm.trim().toLowerCase(), hex: hex.trim() };
  return isDigestPart(digest.algorithm, digest.hex) ? digest : undefined;
}

/** The members of `digests` with lower-case algorithm if each is valid by {@link findArtifactDigest}'s rules. */
export function findDigestSet(digests: DigestSet): DigestSet | undefined {
  const entries = Object.entries(digests).map(
    ([algorithm, hex]) => [algorithm.trim().toLowerCase(), hex] as const,
  );
  const valid = entries.length > 0 && entries.every(([algorithm, hex]) => isDigestPart(algorithm, hex));
  return valid ? Object.fromEntries(entries) : undefined;
}

function isDigestPart(algorithm: string, hex: string): boolean {
  return Object.hasOwn(hexLengths, algorithm) && hex.length === hexLengths[algorithm] && lowerHex.test(hex);
}
