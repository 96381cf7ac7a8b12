import { createHash } from 'node:crypto';

/** UUIDv5 of the URL namespace and `https://chainwright.dev/sbom`: the namespace of our BOMs' serial numbers. */
const namespace = Buffer.from('2f6bd7b0f3f95b4aa8e5c1a4a2f4d8f1', 'hex');

/** The serial number of a BOM (RFC 9562 section 5.5, UUIDv5): the same parts give the same number. */
export function serialNumberOf(parts: readonly string[]): string {
  const bytes = createHash('sha1').update(namespace).update(parts.join('\n')).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return `urn:uuid:${bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')}`;
}
