import { DatabaseSync } from 'node:sqlite';

/** Fields of a header by tag: text, list of texts or list of integers. */
export type HeaderFields = Readonly<Record<number, string | readonly string[] | readonly number[]>>;

/** A package's header fields by their usual names. */
export const rpmPackage = (name: string, fields: HeaderFields = {}): HeaderFields => ({
  1000: name,
  1001: '1.0',
  1002: '2.el9',
  1022: 'x86_64',
  1047: [name],
  ...fields,
});

/** A header blob as rpm's databases hold it: index entries and store, big-endian. */
export function headerBlob(fields: HeaderFields): Buffer {
  const entries: Buffer[] = [];
  let store = Buffer.alloc(0);
  for (const [tag, value] of Object.entries(fields)) {
    const isNumbers = Array.isArray(value) && typeof value[0] === 'number';
    if (isNumbers) store = Buffer.concat([store, Buffer.alloc((4 - (store.length % 4)) % 4)]);
    const entry = Buffer.alloc(16);
    entry.writeUInt32BE(Number(tag), 0);
    entry.writeUInt32BE(typeof value === 'string' ? 6 : isNumbers ? 4 : 8, 4);
    entry.writeUInt32BE(store.length, 8);
    entry.writeUInt32BE(typeof value === 'string' ? 1 : value.length, 12);
    entries.push(entry);
    store = Buffer.concat([store, encode(value)]);
  }
  const preamble = Buffer.alloc(8);
  preamble.writeUInt32BE(entries.length, 0);
  preamble.writeUInt32BE(store.length, 4);
  return Buffer.concat([preamble, ...entries, store]);
}

function encode(value: HeaderFields[number]): Buffer {
  if (typeof value === 'string') return Buffer.from(`${value}\0`);
  return Buffer.concat(
    value.map((item) => {
      if (typeof item === 'string') return Buffer.from(`${item}\0`);
      const number = Buffer.alloc(4);
      number.writeUInt32BE(item);
      return number;
    }),
  );
}

/** `rpmdb.sqlite`, in the write-ahead-log mode that rpm uses. */
export function sqliteDatabase(
  blobs: readonly Buffer[],
  schema = 'CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)',
): Buffer {
  using database = new DatabaseSync(':memory:');
  database.exec(schema);
  const insert = blobs.length > 0 ? database.prepare('INSERT INTO Packages (blob) VALUES (?)') : undefined;
  for (const blob of blobs) insert?.run(blob);
  const bytes = Buffer.from(database.serialize());
  bytes[18] = bytes[19] = 2;
  return bytes;
}

/** `Packages.db` of rpm's ndb: header, one page of slots, blobs at blocks of 16 bytes. */
export function ndbDatabase(blobs: readonly Buffer[]): Buffer {
  const slots = Buffer.alloc(4096);
  slots.write('RpmP', 0, 'latin1');
  slots.writeUInt32LE(1, 12);
  for (let at = 32; at < slots.length; at += 16) slots.write('Slot', at, 'latin1');
  const records: Buffer[] = [];
  let block = 4096 / 16;
  for (const [index, blob] of blobs.entries()) {
    const record = Buffer.alloc(Math.ceil((16 + blob.length + 12) / 16) * 16);
    record.write('BlbS', 0, 'latin1');
    record.writeUInt32LE(index + 1, 4);
    record.writeUInt32LE(blob.length, 12);
    blob.copy(record, 16);
    const slot = 32 + (index + 1) * 16;
    slots.writeUInt32LE(index + 1, slot + 4);
    slots.writeUInt32LE(block, slot + 8);
    slots.writeUInt32LE(record.length / 16, slot + 12);
    block += record.length / 16;
    records.push(record);
  }
  return Buffer.concat([slots, ...records]);
}

const pageBytes = 4096;
const pageHeader = 26;

/** A Berkeley DB hash file: metadata page, one hash page, chains of overflow pages for all blobs but the `inline` first. */
export function berkeleyDatabase(
  blobs: readonly Buffer[],
  options: { inline?: number; bigEndian?: boolean } = {},
): Buffer {
  const write = (page: Buffer, value: number, at: number, bytes: 2 | 4): void => {
    if (options.bigEndian) page.writeUIntBE(value, at, bytes);
    else page.writeUIntLE(value, at, bytes);
  };
  const meta = Buffer.alloc(pageBytes);
  write(meta, 0x00061561, 12, 4);
  write(meta, 9, 16, 4);
  write(meta, pageBytes, 20, 4);
  meta[25] = 8;
  const hash = Buffer.alloc(pageBytes);
  hash[25] = 13;
  const overflow: Buffer[] = [];
  let free = pageBytes;
  let items = 0;
  const addItem = (item: Buffer): void => {
    free -= item.length;
    item.copy(hash, free);
    write(hash, free, pageHeader + items * 2, 2);
    items += 1;
  };
  const counter = Buffer.from([1, 0, 0, 0, 0]);
  addItem(counter);
  addItem(counter);
  for (const [index, blob] of blobs.entries()) {
    addItem(Buffer.from([1, index + 1, 0, 0, 0]));
    if (index < (options.inline ?? 0)) {
      addItem(Buffer.concat([Buffer.from([1]), blob]));
      continue;
    }
    const item = Buffer.alloc(12);
    item[0] = 3;
    write(item, 2 + overflow.length, 4, 4);
    write(item, blob.length, 8, 4);
    addItem(item);
    const room = pageBytes - pageHeader;
    for (let at = 0; at < blob.length; at += room) {
      const page = Buffer.alloc(pageBytes);
      const part = blob.subarray(at, at + room);
      page[25] = 7;
      write(page, part.length, 22, 2);
      if (at + room < blob.length) write(page, 3 + overflow.length, 16, 4);
      part.copy(page, pageHeader);
      overflow.push(page);
    }
  }
  write(hash, items, 20, 2);
  return Buffer.concat([meta, hash, ...overflow]);
}
