import { decodeTarText } from './tar-header.ts';

/**
 * The records of a pax extended header (POSIX pax, "Extended Header"): `LENGTH KEY=VALUE\n` each. Undefined if one
 * breaks the format. A later record of the same key wins.
 */
export function parsePaxRecords(body: Buffer): Map<string, string> | undefined {
  const records = new Map<string, string>();
  let at = 0;
  while (at < body.length) {
    const space = body.indexOf(0x20, at);
    if (space < 0 || space === at || space - at > 10) return undefined;
    const length = Number(body.toString('latin1', at, space));
    const end = at + length;
    if (!Number.isSafeInteger(length) || end > body.length || end - 1 <= space || body[end - 1] !== 0x0a)
      return undefined;
    const record = body.subarray(space + 1, end - 1);
    const equals = record.indexOf(0x3d);
    if (equals <= 0) return undefined;
    const value = record.subarray(equals + 1);
    // A name with a NUL would be read one way by us and another by a C program.
    if (value.includes(0) && /^(?:path|linkpath)$/.test(record.toString('latin1', 0, equals)))
      return undefined;
    records.set(record.toString('latin1', 0, equals), decodeTarText(value));
    at = end;
  }
  return records;
}
