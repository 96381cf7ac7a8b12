/** Why bytes are not taken as JSON by {@link parseStrictJson}. */
export type JsonFault = 'too large' | 'not UTF-8' | 'not JSON' | 'a member name twice' | 'too deep';

/** A value of JSON. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;

/** An object of JSON. */
export interface JsonObject {
  readonly [name: string]: JsonValue;
}

const maxDepth = 256;

/**
 * Parses JSON (RFC 8259) that may have been made to be read in two ways: at most `maxBytes`, valid UTF-8, no byte order
 * mark, no member name twice in an object, at most 256 levels. Gives what is wrong instead of throwing, so that each
 * caller reports it under its own code.
 */
export function parseStrictJson(
  bytes: Uint8Array,
  maxBytes: number,
): { readonly value: JsonValue } | { readonly fault: JsonFault } {
  if (bytes.byteLength > maxBytes) return { fault: 'too large' };
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // The decoder says no more than that.
    return { fault: 'not UTF-8' };
  }
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    // The parser's message quotes the text, which may be large or secret.
    return { fault: 'not JSON' };
  }
  const kept = countKeptMembers(value);
  if (kept === undefined) return { fault: 'too deep' };
  return kept === countWrittenMembers(text) ? { value } : { fault: 'a member name twice' };
}

/** True for an object of JSON, not a list. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// JSON.parse keeps one of several members of one name, so fewer are kept than written exactly if a name came twice.
function countKeptMembers(root: JsonValue): number | undefined {
  let members = 0;
  let level: (JsonObject | readonly JsonValue[])[] = containersIn([root]);
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth >= maxDepth) return undefined;
    const below: (JsonObject | readonly JsonValue[])[] = [];
    for (const container of level) {
      const children: readonly JsonValue[] = isList(container) ? container : Object.values(container);
      if (!isList(container)) members += children.length;
      for (const child of containersIn(children)) below.push(child);
    }
    level = below;
  }
  return members;
}

function containersIn(values: readonly JsonValue[]): (JsonObject | readonly JsonValue[])[] {
  return values.filter((value) => typeof value === 'object' && value !== null);
}

function isList(value: JsonObject | readonly JsonValue[]): value is readonly JsonValue[] {
  return Array.isArray(value);
}

// In text known to be JSON each quote outside a string opens one, and a string before a colon is a member's name.
function countWrittenMembers(text: string): number {
  let members = 0;
  let open = text.indexOf('"');
  while (open !== -1) {
    const next = skipBlanks(text, endOfString(text, open) + 1);
    if (text[next] === ':') members += 1;
    open = text.indexOf('"', next);
  }
  return members;
}

function endOfString(text: string, open: number): number {
  let close = text.indexOf('"', open + 1);
  while (isEscaped(text, close)) close = text.indexOf('"', close + 1);
  return close;
}

function isEscaped(text: string, at: number): boolean {
  let before = at - 1;
  while (text[before] === '\\') before -= 1;
  return (at - before) % 2 === 0;
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at += 1;
  return at;
}
