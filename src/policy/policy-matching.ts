import { formatRepository } from '../model/image-reference.ts';
import type { Repository } from '../model/image-reference.ts';
import { compileGlob, matchesGlob } from './image-glob.ts';
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
export function isInScope(scope: PolicyScope, image: string, workload: WorkloadKind): boolean {
  return matchesImage(scope, image) && matchesObject(scope, workload);
}

/** True if one of a policy's globs matches an image (`HOST/PATH@DIGEST`). */
export function matchesImage({ globs }: PolicyScope, image: string): boolean {
  return globs.some((glob) => matchesGlob(glob, image));
}

function matchesObject({ match }: PolicyScope, workload: WorkloadKind): boolean {
  return match.length === 0 || match.some((rule) => matchesWorkload(rule, workload));
}

/** Stands for a digest that is not known yet. */
export const anyDigest = `sha256:${'0'.repeat(64)}`;

/** True if a policy may be about an image whose digest is not known yet; only a glob with a digest can disappoint. */
export function mayBeInScope(scope: PolicyScope, repository: Repository, workload: WorkloadKind): boolean {
  const name = formatRepository(repository);
  const mayMatch =
    matchesImage(scope, `${name}@${anyDigest}`) || scope.globs.some((glob) => namesDigestOf(glob, name));
  return mayMatch && matchesObject(scope, workload);
}

/** True for a glob such as `HOST/PATH@sha256:4f53…` of that repository. */
function namesDigestOf({ source }: ImageGlob, name: string): boolean {
  const at = source.lastIndexOf('@');
  return at > 0 && compileGlob(source.slice(0, at)).expression.matches(name);
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

/** True if labels are as a selector (apimachinery, meta/v1 LabelSelector) wants them. */
export function matchesLabels(
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
