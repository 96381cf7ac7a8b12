const headerMagic = 'RpmP';
const slotMagic = 'Slot';
const blobMagic = 'BlbS';
const headerBytes = 32;
const slotBytes = 16;
const blockBytes = 16;
const blobHeaderBytes = 16;
const pageBytes = 4096;

/**
 * The header blobs of `Packages.db` (rpm's ndb, `rpmpkg.c`: SUSE since 15). Little-endian; the file starts with a
 * header of two slots' size and pages of slots (magic, package, block offset, block count); a blob has a header of its
 * own (magic, package, generation, length). Throws RangeError on a damaged database.
 */
export function* readNdbBlobs(content: Buffer): Generator<Buffer> {
  if (content.length < headerBytes || magicAt(content, 0) !== headerMagic)
    throw new RangeError('no ndb database');
  const slotsEnd = content.readUInt32LE(12) * pageBytes;
  if (slotsEnd > content.length) throw new RangeError('the ndb database is cut');
  for (let at = headerBytes; at + slotBytes <= slotsEnd; at += slotBytes) {
    if (magicAt(content, at) !== slotMagic) throw new RangeError('the ndb database has a damaged slot');
    const packageIndex = content.readUInt32LE(at + 4);
    if (packageIndex !== 0) yield readBlob(content, content.readUInt32LE(at + 8) * blockBytes, packageIndex);
  }
}

function readBlob(content: Buffer, at: number, packageIndex: number): Buffer {
  const start = at + blobHeaderBytes;
  const isBlob =
    start <= content.length &&
    magicAt(content, at) === blobMagic &&
    content.readUInt32LE(at + 4) === packageIndex;
  if (!isBlob) throw new RangeError('the ndb database points to a damaged record');
  const length = content.readUInt32LE(at + 12);
  if (start + length > content.length) throw new RangeError('a record of the ndb database is cut');
  return content.subarray(start, start + length);
}

function magicAt(content: Buffer, at: number): string {
  return content.toString('latin1', at, at + 4);
}
