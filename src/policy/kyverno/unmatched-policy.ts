import type { CompiledClusterPolicy } from '../compiled-policy.ts';
import type { NoMatchPolicy } from '../image-judge.ts';
import { allOf, anyOf } from './cel-text.ts';
import { celOfGlobs, celOfMatch, objectScopeOf } from './exported-scope.ts';
import { assemble, isInScope } from './image-validating-policy.ts';
import type { ExportOptions, ImageValidatingPolicy } from './kyverno-types.ts';
import { everyImage } from './pod-images.ts';

const unmatchedName = 'chainwright-unmatched';

/**
 * The rule for images that no policy is about (`no-match-policy`), for Kyverno, which has none; undefined if they are
 * admitted. Pure.
 */
export function exportUnmatched(
  policies: readonly CompiledClusterPolicy[],
  noMatch: NoMatchPolicy,
  options: ExportOptions,
): ImageValidatingPolicy | undefined {
  if (noMatch === 'allow') return undefined;
  const covered = policies.map((policy) => allOf([celOfMatch(policy), celOfGlobs(policy.globs, 'n')]));
  return assemble(
    {
      name: freeName(policies),
      from: 'no-match-policy',
      actions: [noMatch === 'warn' ? 'Warn' : 'Deny'],
      scope: objectScopeOf([], () => undefined),
      authorities: [],
      validations: [
        {
          expression: everyImage(isInScope(anyOf(covered))),
          message: 'no ClusterImagePolicy is about an image: no matching policies',
        },
      ],
    },
    options,
  );
}

/** A ClusterImagePolicy that happens to have the name must not keep this one from being written. */
function freeName(policies: readonly CompiledClusterPolicy[]): string {
  const taken = new Set(policies.map(({ name }) => name));
  let free = unmatchedName;
  for (let number = 2; taken.has(free); number++) free = `${unmatchedName}-${number}`;
  return free;
}
