import type { FindingsAt } from './trust-finding.ts';
import type { Validity } from './trusted-root-document.ts';

/** One of several keys or places that follow one another. */
export interface Window {
  readonly where: string;
  readonly validFor: Validity | undefined;
}

/** Milliseconds since 1970; without a start from the beginning, without an end for ever. */
export function boundsOf(validFor: Validity | undefined): { readonly start: number; readonly end: number } {
  return {
    start: validFor?.start === undefined ? Number.NEGATIVE_INFINITY : Date.parse(validFor.start),
    end: validFor?.end === undefined ? Number.POSITIVE_INFINITY : Date.parse(validFor.end),
  };
}

/** What a validity says of `now`. */
export function stateAt(validFor: Validity | undefined, now: Date): 'current' | 'ended' | 'future' {
  const { start, end } = boundsOf(validFor);
  if (now.getTime() < start) return 'future';
  return now.getTime() > end ? 'ended' : 'current';
}

/** Checks one validity by itself. */
export function checkValidity(validFor: Validity | undefined, found: FindingsAt): void {
  const { start, end } = boundsOf(validFor);
  if (end <= start) found.error('validity', 'it ends before it starts');
}

/**
 * Checks the validities of keys that follow one another at one address: without a gap, since what is signed in it cannot be
 * verified, and not two without an end, since one of them was hardly meant to last.
 */
export function checkSuccession(windows: readonly Window[], at: (where: string) => FindingsAt): void {
  const ordered = windows
    .map(({ where, validFor }) => ({ where, ...boundsOf(validFor) }))
    .toSorted((a, b) => a.start - b.start);
  let covered: { readonly where: string; readonly end: number } | undefined;
  for (const { where, start, end } of ordered) {
    if (covered !== undefined && start > covered.end) {
      const [from, to] = [covered.end, start].map((time) => new Date(time).toISOString());
      at(where).warning('gap', `nothing counts between ${from}, when ${covered.where} ends, and ${to}`);
    }
    if (covered?.end === Number.POSITIVE_INFINITY && end === Number.POSITIVE_INFINITY) {
      at(where).warning(
        'overlap',
        `neither this nor ${covered.where} ends: say when the older one was replaced`,
      );
    }
    if (covered === undefined || end >= covered.end) covered = { where, end };
  }
}
