/** What a member of a hand-made archive is: content, or a link, or a bare header with a flag of its own. */
export type Member =
  | string
  | Uint8Array
  | { readonly symlink: string }
  | { readonly hardlink: string }
  | { readonly directory: true }
  | { readonly content: string | Uint8Array; readonly mode?: number; readonly flag?: string };

/** An archive of `members` in order, ended by two blocks of zeros. Long names get a pax header. */
export function tar(
  members: Readonly<Record<string, Member>> | readonly (readonly [string, Member])[],
): Buffer {
  const list = Array.isArray(members) ? members : Object.entries(members);
  const blocks = list.map(([name, member]: readonly [string, Member]) => memberBlocks(name, member));
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** One header block, with a right checksum. */
export function header(
  name: string | Buffer,
  fields: { size?: number; flag?: string; link?: string; mode?: number; sizeField?: Buffer } = {},
): Buffer {
  const block = Buffer.alloc(512);
  Buffer.from(name).copy(block, 0, 0, 100);
  block.write(octal(fields.mode ?? 0o644, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  if (fields.sizeField) fields.sizeField.copy(block, 124);
  else block.write(octal(fields.size ?? 0, 11), 124);
  block.write(octal(0, 11), 136);
  block.write(fields.flag ?? '0', 156, 1, 'latin1');
  block.write((fields.link ?? '').slice(0, 100), 157);
  block.write('ustar\x0000', 257, 'latin1');
  return seal(block);
}

/** Writes the checksum of a header. */
export function seal(block: Buffer): Buffer {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148, 'latin1');
  return block;
}

/** Content padded to whole blocks. */
export function padded(content: Uint8Array): Buffer {
  return Buffer.concat([content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

/** A pax extended header (flag x) with these records. */
export function pax(records: Readonly<Record<string, string>>, flag = 'x'): Buffer {
  const body = Buffer.concat(Object.entries(records).map(([key, value]) => paxRecord(key, value)));
  return Buffer.concat([header('PaxHeaders/0', { size: body.length, flag }), padded(body)]);
}

function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

function memberBlocks(name: string, member: Member): Buffer {
  const long: Record<string, string> = {};
  if (Buffer.byteLength(name) > 100) long['path'] = name;
  const link = linkOf(member);
  if (link.length > 100) long['linkpath'] = link;
  const prefix = Object.keys(long).length > 0 ? [pax(long)] : [];
  if (typeof member === 'object' && !(member instanceof Uint8Array)) {
    if ('symlink' in member) return Buffer.concat([...prefix, header(name, { flag: '2', link })]);
    if ('hardlink' in member) return Buffer.concat([...prefix, header(name, { flag: '1', link })]);
    if ('directory' in member) return Buffer.concat([...prefix, header(name, { flag: '5', mode: 0o755 })]);
    const content = Buffer.from(member.content);
    const fields = { size: content.length, mode: member.mode ?? 0o644, flag: member.flag ?? '0' };
    return Buffer.concat([...prefix, header(name, fields), padded(content)]);
  }
  const content = Buffer.from(member);
  return Buffer.concat([...prefix, header(name, { size: content.length }), padded(content)]);
}

function linkOf(member: Member): string {
  if (typeof member !== 'object' || member instanceof Uint8Array) return '';
  return 'symlink' in member ? member.symlink : 'hardlink' in member ? member.hardlink : '';
}
