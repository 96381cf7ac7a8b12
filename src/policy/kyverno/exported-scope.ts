import type { ImageGlob } from '../image-glob.ts';
import type { PolicyScope } from '../policy-matching.ts';
import type { LabelSelector, MatchRule } from '../policy-schema.ts';
import { allOf, anyOf, celString } from './cel-text.ts';
import type { NoteLimitation } from './limitation.ts';

/** A rule of `matchConstraints.resourceRules`. */
export interface ResourceRule {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly operations: readonly string[];
  readonly resources: readonly string[];
}

/** The objects that a policy is about. */
export interface ObjectScope {
  readonly resourceRules: readonly ResourceRule[];
  readonly objectSelector?: LabelSelector;
}

const operations = ['CREATE', 'UPDATE'];

/** Everything that makes Pods: what our own webhook is called for (config/webhook). */
const workloads: readonly ResourceRule[] = [
  ruleFor('', 'v1', ['pods', 'pods/ephemeralcontainers', 'replicationcontrollers']),
  ruleFor('apps', 'v1', ['deployments', 'replicasets', 'statefulsets', 'daemonsets']),
  ruleFor('batch', 'v1', ['jobs', 'cronjobs']),
];

function ruleFor(group: string, version: string, resources: readonly string[]): ResourceRule {
  return { apiGroups: [group], apiVersions: [version], operations, resources };
}

/**
 * The objects of a policy's `match`. Several selectors cannot be told apart there: then the policy is about every object of
 * these kinds, and rules that nothing can match leave it with all of them.
 */
export function objectScopeOf(match: readonly MatchRule[], note: NoteLimitation): ObjectScope {
  if (match.length === 0) return { resourceRules: workloads };
  const useful = match.filter(({ resource = '', version = '' }) => resource !== '' && version !== '');
  if (useful.length === 0) {
    note({ code: 'match', message: 'no rule of match can hold; the policy is about all objects there' });
    return { resourceRules: workloads };
  }
  const resourceRules = useful.map(({ group = '', version = '', resource = '' }) => {
    const resources = resource === 'pods' ? ['pods', 'pods/ephemeralcontainers'] : [resource];
    return ruleFor(group, version, resources);
  });
  const [selector] = useful.map((rule) => rule.selector);
  const isOne = useful.every((rule) => JSON.stringify(rule.selector) === JSON.stringify(selector));
  if (isOne) return { resourceRules, ...(selector === undefined ? {} : { objectSelector: selector }) };
  const message =
    'rules of match with different selectors: the policy is about objects with any labels there';
  note({ code: 'match', message });
  return { resourceRules };
}

/** The name of an image as globs see it, from a reference that Kyverno's library parsed. */
export function nameOfImage(reference: string): string {
  return `${reference}.registry() + "/" + ${reference}.repository() + "@" + ${reference}.digest()`;
}

/** True if a glob matches the name in the expression `name`, with the reference's meaning of globs. */
export function celOfGlobs(globs: readonly ImageGlob[], name: string): string {
  return anyOf(globs.map(({ expression }) => `${name}.matches(${celString(expression.pattern())})`));
}

const pluralOfKind = 'object.kind.lowerAscii() + "s"';

/** True if a policy is about an image, its name in the variable `n`, in the object under admission. */
export function celOfScope({ match, globs }: PolicyScope): string {
  return allOf([celOfMatch(match), celOfGlobs(globs, 'n')]);
}

function celOfMatch(match: readonly MatchRule[]): string {
  if (match.length === 0) return 'true';
  return anyOf(match.map(celOfRule));
}

function celOfRule({ group = '', version = '', resource = '', selector = {} }: MatchRule): string {
  if (resource === '' || version === '') return 'false';
  const isKind = `${pluralOfKind} == ${celString(resource)}`;
  const prefix = group === '' ? '' : `${group}/`;
  const isVersion =
    version === '*'
      ? group === ''
        ? '!object.apiVersion.contains("/")'
        : `object.apiVersion.startsWith(${celString(prefix)})`
      : `object.apiVersion == ${celString(prefix + version)}`;
  return allOf([isKind, isVersion, ...celOfSelector(selector)]);
}

const labels = 'object.metadata.?labels.orValue({})';

function celOfSelector({ matchLabels = {}, matchExpressions = [] }: LabelSelector): readonly string[] {
  const wanted = Object.entries(matchLabels).map(([key, value]) => isLabel(key, [value]));
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => {
    switch (operator) {
      case 'In':
        return isLabel(key, values);
      case 'NotIn':
        return `!${isLabel(key, values)}`;
      case 'Exists':
        return `${celString(key)} in ${labels}`;
      case 'DoesNotExist':
        return `!(${celString(key)} in ${labels})`;
    }
  });
  return [...wanted, ...expressions];
}

function isLabel(key: string, values: readonly string[]): string {
  const name = celString(key);
  const list = `[${values.map(celString).join(', ')}]`;
  return `(${name} in ${labels} && ${labels}[${name}] in ${list})`;
}
