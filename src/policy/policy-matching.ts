import { matchesGlob } from './image-glob.ts';
import type { ImageGlob } from './image-glob.ts';
import type { LabelSelector, MatchRule } from './policy-schema.ts';

/** The object that wants to run images, as far as policies choose by it. */
export interface WorkloadKind {
  readonly group: string;
  readonly version: string;
  /** Plural, e.g. `deployments`. */
  readonly resource: string;
  /** Of the object itself, not of its template. */
  readonly labels: Readonly<Record<string, string>>;
}

/** By what a policy chooses images. */
export interface PolicyScope {
  readonly globs: readonly ImageGlob[];
  readonly match: readonly MatchRule[];
}

/** True if a policy is about an image (`HOST/PATH@DIGEST`) in such an object: one glob, and one rule if there are any. */
export function isInScope({ globs, match }: PolicyScope, image: string, workload: WorkloadKind): boolean {
  return (
    globs.some((glob) => matchesGlob(glob, image)) &&
    (match.length === 0 || match.some((rule) => matchesWorkload(rule, workload)))
  );
}

/** As the reference: no wildcard for the group, and an empty version is none either. */
function matchesWorkload(rule: MatchRule, workload: WorkloadKind): boolean {
  const { group = '', version = '', resource = '', selector } = rule;
  return (
    resource === workload.resource &&
    (version === '*' || version === workload.version) &&
    group === workload.group &&
    (selector === undefined || matchesLabels(selector, workload.labels))
  );
}

function matchesLabels(
  { matchLabels = {}, matchExpressions = [] }: LabelSelector,
  labels: Readonly<Record<string, string>>,
): boolean {
  const valueOf = (key: string): string | undefined => (Object.hasOwn(labels, key) ? labels[key] : undefined);
  return (
    Object.entries(matchLabels).every(([key, value]) => valueOf(key) === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = valueOf(key);
      switch (operator) {
        case 'In':
          return value !== undefined && values.includes(value);
        case 'NotIn':
          return value === undefined || !values.includes(value);
        case 'Exists':
          return value !== undefined;
        case 'DoesNotExist':
          return value === undefined;
      }
    })
  );
}
