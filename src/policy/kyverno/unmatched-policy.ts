import type { CompiledClusterPolicy } from '../compiled-policy.ts';
import type { NoMatchPolicy } from '../image-judge.ts';
import { anyOf } from './cel-text.ts';
import { celOfScope, objectScopeOf } from './exported-scope.ts';
import { freeName } from './free-name.ts';
import { assemble, isInScope } from './image-validating-policy.ts';
import type { ExportOptions, ImageValidatingPolicy } from './kyverno-types.ts';
import { everyImage } from './pod-images.ts';

const unmatchedName = 'chainwright-unmatched';

/**
 * The rule for images that no policy is about (`no-match-policy`), for Kyverno, which has none; undefined if they are
 * admitted. `foreign` are names that somebody else's policies have. Pure.
 */
export function exportUnmatched(
  policies: readonly CompiledClusterPolicy[],
  noMatch: NoMatchPolicy,
  options: ExportOptions,
  foreign: ReadonlySet<string> = new Set(),
): ImageValidatingPolicy | undefined {
  if (noMatch === 'allow') return undefined;
  return assemble(
    {
      name: freeName(unmatchedName, policies, foreign),
      from: 'no-match-policy',
      actions: [noMatch === 'warn' ? 'Warn' : 'Deny'],
      scope: objectScopeOf([], () => undefined),
      authorities: [],
      validations: [
        {
          expression: everyImage(isInScope(anyOf(policies.map(celOfScope)))),
          message: 'no ClusterImagePolicy is about an image: no matching policies',
        },
      ],
    },
    options,
  );
}
