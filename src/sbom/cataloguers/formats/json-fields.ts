/** A JSON object of unknown content. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Parses UTF-8 JSON, with or without a byte order mark. Throws SyntaxError. */
export function parseJson(content: Uint8Array): unknown {
  return JSON.parse(textOf(content));
}

/** UTF-8 text without a byte order mark; bytes that are no UTF-8 become U+FFFD. */
export function textOf(content: Uint8Array): string {
  return new TextDecoder().decode(content);
}

/** True for a JSON object (neither null nor an array). */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Parses a document whose top is an object. Throws on anything else. */
export function parseJsonObject(content: Uint8Array): JsonObject {
  const value = parseJson(content);
  if (!isObject(value)) throw new Error('not a JSON object');
  return value;
}

/** A non-empty string, trimmed; undefined for anything else. */
export function asText(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const trimmed = value.trim();
  return trimmed === '' ? undefined : trimmed;
}

/** The object itself, or an empty one for anything else. */
export function asObject(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

/** The array itself, or an empty one for anything else. */
export function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The non-empty strings of an array; a lone string counts as an array of one. */
export function asTexts(value: unknown): string[] {
  const values = typeof value === 'string' ? [value] : asArray(value);
  return values.map(asText).filter((text) => text !== undefined);
}

/** `parts` without the keys whose value is undefined, for facts and optional properties. */
export function defined<T extends object>(parts: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const kept = Object.entries(parts).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept) as { [K in keyof T]: Exclude<T[K], undefined> };
}
