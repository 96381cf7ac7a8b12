import { AppError } from '../../model/errors.ts';

/**
 * A CEL string literal of printable ASCII (cel-spec, langdef.md, "String and Bytes Values"): quotes and backslashes stand
 * behind a backslash, every other character is written by its code point, so that no text can end it. Throws ERR_KYVERNO_TEXT for text that is no Unicode.
 */
export function celString(text: string): string {
  if (!text.isWellFormed()) {
    throw new AppError('ERR_KYVERNO_TEXT', `${JSON.stringify(text.slice(0, 80))} is no Unicode text`, {
      kind: 'permanent',
      remedy: 'Write the policy without halves of surrogate pairs.',
    });
  }
  return `"${Array.from(text, escaped).join('')}"`;
}

function escaped(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`;
  if (/^[\x20-\x7e]$/.test(character)) return character;
  const hex = (character.codePointAt(0) ?? 0).toString(16);
  return hex.length > 4 ? `\\U${hex.padStart(8, '0')}` : `\\u${hex.padStart(4, '0')}`;
}

/** True if all parts hold; `true` for none. */
export function allOf(parts: readonly string[]): string {
  const needed = [...new Set(parts)].filter((part) => part !== 'true');
  if (needed.includes('false')) return 'false';
  return joined(needed, '&&', 'true');
}

/** True if one part holds; `false` for none. */
export function anyOf(parts: readonly string[]): string {
  const useful = [...new Set(parts)].filter((part) => part !== 'false');
  if (useful.includes('true')) return 'true';
  return joined(useful, '||', 'false');
}

function joined(parts: readonly string[], operator: string, none: string): string {
  const [only = none] = parts;
  return parts.length < 2 ? only : `(${parts.join(` ${operator} `)})`;
}
