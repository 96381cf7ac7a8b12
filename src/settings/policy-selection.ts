import type { SigningPolicySpec } from './signing-policy.ts';

/** What a policy can tell a run by. */
export interface RunFacts {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Name of the pipeline that it is part of or a run of, if any. */
  readonly pipeline?: string | undefined;
  /** Name of its task, if it has one. */
  readonly task?: string | undefined;
}

type Selector = SigningPolicySpec['selector'];

/** True if the policy speaks of the run. */
export function selects(selector: Selector, run: RunFacts): boolean {
  const { matchLabels = {}, pipelines, tasks } = selector ?? {};
  return (
    Object.entries(matchLabels).every(([name, value]) => run.labels[name] === value) &&
    isAmong(pipelines, run.pipeline) &&
    isAmong(tasks, run.task)
  );
}

function isAmong(names: readonly string[] | undefined, name: string | undefined): boolean {
  return names === undefined || (name !== undefined && names.includes(name));
}

/** False if no run can be selected by both. */
export function mayOverlap(one: Selector, other: Selector): boolean {
  const [labels, others] = [one?.matchLabels ?? {}, other?.matchLabels ?? {}];
  const areApart = Object.entries(labels).some(
    ([name, value]) => others[name] !== undefined && others[name] !== value,
  );
  return !areApart && meet(one?.pipelines, other?.pipelines) && meet(one?.tasks, other?.tasks);
}

function meet(one: readonly string[] | undefined, other: readonly string[] | undefined): boolean {
  return one === undefined || other === undefined || one.some((name) => other.includes(name));
}

/** True if an image of the repository `HOST/PATH` fits the pattern of a policy. */
export function fitsRepository(pattern: string, repository: string): boolean {
  const deep = pattern.endsWith('/**');
  if (!deep && !pattern.endsWith('/*')) return repository === pattern;
  const stem = pattern.slice(0, deep ? -2 : -1);
  if (!repository.startsWith(stem)) return false;
  const rest = repository.slice(stem.length);
  return rest !== '' && (deep || !rest.includes('/'));
}
