/**
 * True if a file's name matches a pattern as Python's fnmatch has it, which in-toto's rules are written for: `*` any characters,
 * slashes among them, `?` one, `[a-z]` and `[!a-z]` one of or none of these. Takes time in proportion to both lengths at most.
 */
export function matchesPattern(name: string, pattern: string): boolean {
  const [text, tokens] = [Array.from(name), tokensOf(pattern)];
  let [at, token] = [0, 0];
  let star: { readonly token: number; at: number } | undefined;
  while (at < text.length) {
    const wanted = tokens[token];
    if (wanted === '*') {
      star = { token, at };
      token += 1;
    } else if (wanted?.accepts(text[at] ?? '') === true) {
      at += 1;
      token += 1;
    } else if (star === undefined) {
      return false;
    } else {
      star.at += 1;
      at = star.at;
      token = star.token + 1;
    }
  }
  return tokens.slice(token).every((rest) => rest === '*');
}

type Token = '*' | { readonly accepts: (character: string) => boolean };

function tokensOf(pattern: string): readonly Token[] {
  const characters = Array.from(pattern);
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? '';
    const set = character === '[' ? readSet(characters, at) : undefined;
    if (set !== undefined) {
      tokens.push({ accepts: set.accepts });
      at = set.end;
    } else if (character === '*') {
      if (tokens.at(-1) !== '*') tokens.push('*');
    } else {
      tokens.push({ accepts: character === '?' ? () => true : (found) => found === character });
    }
  }
  return tokens;
}

/** A set from its bracket on; without a closing bracket it is none, and the bracket stands for itself. */
function readSet(
  characters: readonly string[],
  start: number,
): { readonly accepts: (character: string) => boolean; readonly end: number } | undefined {
  const isNegated = characters[start + 1] === '!';
  const first = start + (isNegated ? 2 : 1);
  // A closing bracket in the first place is one of the set.
  const end = characters.indexOf(']', first + 1);
  if (end === -1) return undefined;
  const ranges: (readonly [from: string, to: string])[] = [];
  for (let at = first; at < end; at += 1) {
    const from = characters[at] ?? '';
    const to = characters[at + 2];
    const isRange = characters[at + 1] === '-' && at + 2 < end && to !== undefined;
    ranges.push([from, isRange ? to : from]);
    if (isRange) at += 2;
  }
  const isIn = (found: string): boolean => ranges.some(([from, to]) => found >= from && found <= to);
  return { accepts: (found) => isIn(found) !== isNegated, end };
}
