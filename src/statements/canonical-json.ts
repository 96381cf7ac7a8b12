import type { JsonValue } from './strict-json.ts';

/**
 * Canonical JSON as TUF and in-toto sign it (OLPC): members sorted by code point, no blanks, in text no escapes but those of
 * quotation mark and backslash, whole numbers alone. Undefined for a number that has no such form.
 */
export function encodeOlpcJson(value: JsonValue): Buffer | undefined {
  const text = encode(value);
  return text === undefined ? undefined : Buffer.from(text);
}

function encode(value: JsonValue): string | undefined {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined;
  if (typeof value === 'string') return encodeText(value);
  if (Array.isArray(value)) return joined((value as readonly JsonValue[]).map(encode), '[', ']');
  const members = Object.entries(value).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const encoded = members.map(([name, member]) => {
    const text = encode(member);
    return text === undefined ? undefined : `${encodeText(name)}:${text}`;
  });
  return joined(encoded, '{', '}');
}

function joined(parts: readonly (string | undefined)[], open: string, close: string): string | undefined {
  return parts.includes(undefined) ? undefined : `${open}${parts.join(',')}${close}`;
}

function encodeText(text: string): string {
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}
