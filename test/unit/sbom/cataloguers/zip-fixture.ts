import { crc32, deflateRawSync } from 'node:zlib';

/** One file of an archive: its content, and how it is stored. */
export interface ZipMember {
  readonly content: string | Buffer;
  /** `descriptor`: deflated, with sizes behind the data, as programs write that cannot seek. */
  readonly as?: 'stored' | 'deflated' | 'descriptor';
}

/** A zip archive of these files (APPNOTE 4.3), made without the reader under test. */
export function zip(members: Readonly<Record<string, string | Buffer | ZipMember>>): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, value] of Object.entries(members)) {
    const member = typeof value === 'string' || Buffer.isBuffer(value) ? { content: value } : value;
    const content = Buffer.from(member.content);
    const data = member.as === 'stored' ? content : deflateRawSync(content);
    const hasDescriptor = member.as === 'descriptor';
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(hasDescriptor ? 8 : 0, 2);
    fields.writeUInt16LE(member.as === 'stored' ? 0 : 8, 4);
    const sizes = Buffer.alloc(12);
    sizes.writeUInt32LE(crc32(content), 0);
    sizes.writeUInt32LE(data.length, 4);
    sizes.writeUInt32LE(content.length, 8);
    fields.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.from(fields);
    if (!hasDescriptor) sizes.copy(local, 10);
    const descriptor = hasDescriptor ? [Buffer.from('PK\x07\x08', 'latin1'), sizes] : [];
    const entry = Buffer.concat([
      Buffer.from('PK\x03\x04', 'latin1'),
      local,
      Buffer.from(name),
      data,
      ...descriptor,
    ]);
    sizes.copy(fields, 10);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), fields, tail, Buffer.from(name));
    parts.push(entry);
    offset += entry.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(Object.keys(members).length, 8);
  end.writeUInt16LE(Object.keys(members).length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}
