/** A literal read from the beginning of CEL source, and what follows it. */
export interface ReadLiteral {
  readonly value: string;
  readonly rest: string;
}

const escapes: Readonly<Record<string, number>> = { u: 4, U: 8 };

/**
 * Reads a double-quoted CEL string by the lexical rules (cel-spec, langdef.md): the first quote that no backslash stands
 * before ends it. Knows the escapes that are written.
 */
export function readCelString(source: string): ReadLiteral {
  if (!source.startsWith('"') || source.startsWith('"""')) throw new Error('no simple string begins here');
  let value = '';
  for (let at = 1; at < source.length;) {
    const character = source.charAt(at);
    if (character === '"') return { value, rest: source.slice(at + 1) };
    if (character === '\n' || character === '\r') throw new Error('a line ends in the string');
    const [read, length] = character === '\\' ? readEscape(source.slice(at + 1)) : [character, 1];
    value += read;
    at += length;
  }
  throw new Error('the string does not end');
}

/** What an escape means, and how long it is with its backslash. */
function readEscape(source: string): readonly [string, number] {
  const kind = source.charAt(0);
  if (kind === '"' || kind === '\\') return [kind, 2];
  const digits = escapes[kind];
  if (digits === undefined) throw new Error(`the escape ${kind} is not known`);
  const hex = source.slice(1, 1 + digits);
  if (!/^[\da-f]+$/.test(hex) || hex.length !== digits) throw new Error('an escape is cut off');
  const codePoint = Number.parseInt(hex, 16);
  if (codePoint >= 0xd800 && codePoint <= 0xdfff) throw new Error('CEL refuses halves of surrogate pairs');
  return [String.fromCodePoint(codePoint), 2 + digits];
}
