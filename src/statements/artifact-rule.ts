import { z } from 'zod';

/** A rule about materials or products (in-toto specification 1.0, section 4.3.3). */
export type ArtifactRule =
  | {
      readonly kind: 'create' | 'delete' | 'modify' | 'allow' | 'disallow' | 'require';
      readonly pattern: string;
    }
  | {
      readonly kind: 'match';
      readonly pattern: string;
      /** Folders that are left away on this side and on that of the step; '' for none. */
      readonly sourcePrefix: string;
      readonly destinationPrefix: string;
      readonly destination: 'materials' | 'products';
      readonly step: string;
    };

const simple = z.enum(['create', 'delete', 'modify', 'allow', 'disallow', 'require']);
const destination = z.enum(['materials', 'products']);
const lowered = (words: readonly string[], at: number): string => (words[at] ?? '').toLowerCase();

/** Reads `["MATCH", "foo", "WITH", "PRODUCTS", "FROM", "step"]` and its like, keywords in any case; undefined if it is none. */
export function readArtifactRule(words: readonly string[]): ArtifactRule | undefined {
  const pattern = words[1] ?? '';
  if (pattern === '') return undefined;
  const kind = simple.safeParse(lowered(words, 0)).data;
  if (kind !== undefined) return words.length === 2 ? { kind, pattern } : undefined;
  return lowered(words, 0) === 'match' ? readMatch(pattern, words.slice(2)) : undefined;
}

/** What follows the pattern: [IN prefix] WITH MATERIALS|PRODUCTS [IN prefix] FROM step. */
function readMatch(pattern: string, rest: readonly string[]): ArtifactRule | undefined {
  const words = [...rest];
  const take = (keyword: string): string | undefined => {
    if (lowered(words, 0) !== keyword || words[1] === undefined) return undefined;
    const [, value] = words.splice(0, 2);
    return value;
  };
  const sourcePrefix = take('in') ?? '';
  const side = destination.safeParse(take('with')?.toLowerCase()).data;
  const destinationPrefix = take('in') ?? '';
  const step = take('from');
  if (side === undefined || step === undefined || step === '' || words.length > 0) return undefined;
  return { kind: 'match', pattern, sourcePrefix, destinationPrefix, destination: side, step };
}
