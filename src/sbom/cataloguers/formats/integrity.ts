import type { ComponentHash } from '../../cataloguer.ts';

const algorithms: Readonly<
  Record<string, { readonly name: ComponentHash['algorithm']; readonly bytes: number }>
> = {
  sha1: { name: 'SHA-1', bytes: 20 },
  sha256: { name: 'SHA-256', bytes: 32 },
  sha384: { name: 'SHA-384', bytes: 48 },
  sha512: { name: 'SHA-512', bytes: 64 },
};

/** The hashes in a Subresource Integrity text (`sha512-<base64> sha1-<base64>`); unknown or malformed ones are left out. */
export function parseIntegrity(text: string): ComponentHash[] {
  return text.split(/\s+/).flatMap((part) => {
    const dash = part.indexOf('-');
    const algorithm = algorithms[part.slice(0, dash)];
    if (algorithm === undefined) return [];
    const [encoded = ''] = part.slice(dash + 1).split('?');
    const bytes = Buffer.from(encoded, 'base64');
    return bytes.length === algorithm.bytes
      ? [{ algorithm: algorithm.name, hex: bytes.toString('hex') }]
      : [];
  });
}
