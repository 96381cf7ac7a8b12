import type { CompiledClusterPolicy } from '../compiled-policy.ts';
import { allOf, anyOf } from './cel-text.ts';
import { celOfScope, objectScopeOf } from './exported-scope.ts';
import { freeName } from './free-name.ts';
import { assemble, isInScope } from './image-validating-policy.ts';
import type { ExportOptions, ImageValidatingPolicy } from './kyverno-types.ts';
import { everyImage } from './pod-images.ts';

/** A policy in force that Kyverno does not hold as it is. */
export interface UncheckedPolicy {
  readonly wanted: CompiledClusterPolicy;
  /** What Kyverno holds of it; absent: nothing. */
  readonly held?: CompiledClusterPolicy;
}

const uncheckedName = 'chainwright-unchecked';
const maxMessage = 1000;

/**
 * Denies images that policies in force are about and Kyverno has no check of theirs for, whether another policy is about
 * them or not; undefined if there are none. `foreign` are names that somebody else's policies have. Pure.
 */
export function exportUnchecked(
  unchecked: readonly UncheckedPolicy[],
  policies: readonly CompiledClusterPolicy[],
  options: ExportOptions,
  foreign: ReadonlySet<string> = new Set(),
): ImageValidatingPolicy | undefined {
  // A policy that warns denies nothing, in Kyverno neither.
  const denied = unchecked.filter(({ wanted }) => wanted.mode === 'enforce');
  const open = anyOf(denied.map(celOfOpen));
  if (open === 'false') return undefined;
  const names = denied.map(({ wanted }) => wanted.name).join(', ');
  const message = `a ClusterImagePolicy that could not be exported to Kyverno is about an image: ${names}`;
  return assemble(
    {
      name: freeName(uncheckedName, policies, foreign),
      from: 'unchecked',
      actions: ['Deny'],
      scope: objectScopeOf([], () => undefined),
      authorities: [],
      validations: [
        { expression: everyImage(isInScope(`!(${open})`)), message: message.slice(0, maxMessage) },
      ],
    },
    options,
  );
}

/** What a policy is about and the one that is held is not, or only warns of. */
function celOfOpen({ wanted, held }: UncheckedPolicy): string {
  const scope = celOfScope(wanted);
  if (held?.mode !== 'enforce') return scope;
  const checked = celOfScope(held);
  return checked === scope ? 'false' : allOf([scope, `!(${checked})`]);
}
