import { DatabaseSync } from 'node:sqlite';

/** Offsets of the file format's write and read versions: 2 means that a write-ahead log belongs to the file. */
const writeVersionAt = 18;
const readVersionAt = 19;
const headerBytes = 100;
const maxPackages = 200_000;

/** The header blobs of `rpmdb.sqlite` (RHEL 9, Fedora 33, Amazon Linux 2023 and later). Throws on a damaged database. */
export function* readSqliteBlobs(content: Buffer): Generator<Buffer> {
  if (content.length < headerBytes) throw new RangeError('the SQLite database is cut');
  using database = new DatabaseSync(':memory:', { allowExtension: false });
  database.deserialize(withoutLog(content));
  // The file comes from an image that we don't trust: nothing in its schema may run.
  database.exec('PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA query_only=ON;');
  refuseComputedTable(database);
  const rows = database.prepare(`SELECT blob FROM Packages ORDER BY hnum LIMIT ${maxPackages}`).iterate();
  for (const row of rows) {
    const blob = row['blob'];
    if (!(blob instanceof Uint8Array)) throw new RangeError('a record of the SQLite database is no blob');
    yield Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
  }
}

/** A database in memory cannot have a log beside it, so it must not say that it has one. */
function withoutLog(content: Buffer): Buffer {
  const copy = Buffer.from(content);
  copy[writeVersionAt] = 1;
  copy[readVersionAt] = 1;
  return copy;
}

/** A view or a generated column could compute for ever. */
function refuseComputedTable(database: DatabaseSync): void {
  const table = database.prepare(`SELECT type, sql FROM sqlite_schema WHERE name = 'Packages'`).get();
  const columns = database.prepare(`SELECT hidden FROM pragma_table_xinfo('Packages')`).all();
  const isPlain = table?.['type'] === 'table' && /^CREATE TABLE/i.test(String(table['sql']));
  if (!isPlain || columns.some(({ hidden }) => hidden !== 0)) {
    throw new RangeError('the SQLite database has no plain table Packages');
  }
}
