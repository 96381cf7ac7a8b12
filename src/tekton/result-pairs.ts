import type { Problem, Source } from './finding.ts';
import { unreadable } from './named-artifacts.ts';
import type { TaskRun } from './task-run.ts';

/** The two suffixes that make a pair, e.g. `IMAGE_URL` and `IMAGE_DIGEST`. */
export interface PairSuffixes {
  readonly uri: string;
  readonly digest: string;
}

/** A uri and a digest that two results of one prefix give; both trimmed, neither empty. */
export interface ResultPair {
  readonly uri: string;
  readonly digest: string;
  readonly source: Source;
}

/** A pair, or why there is none. */
export type PairFinding = { readonly pair: ResultPair } | { readonly problem: Problem };

interface Half {
  readonly name: string;
  readonly value: string;
}

interface Halves {
  uri?: Half;
  digest?: Half;
}

/**
 * Finds the results whose names end in the two suffixes and are equal before them, in the order in which each pair's
 * first half appears (Chains' order is random). An empty value counts as absent; if a name appears twice the later wins.
 */
export function* findResultPairs(run: TaskRun, suffixes: PairSuffixes): Generator<PairFinding> {
  const halvesByPrefix = new Map<string, Halves>();
  for (const { name, value } of run.status.results) {
    const side = sideOf(name, suffixes);
    if (side === undefined) continue;
    if (typeof value !== 'string') {
      const kind = Array.isArray(value) ? 'a list' : 'an object';
      yield unreadable({ kind: 'result', names: [name] }, `result ${name} is ${kind}, not a string`);
      continue;
    }
    const prefix = name.slice(0, -suffixes[side].length);
    const halves = halvesByPrefix.get(prefix) ?? {};
    halvesByPrefix.set(prefix, halves);
    if (value.trim() !== '') halves[side] = { name, value: value.trim() };
  }
  for (const [prefix, halves] of halvesByPrefix) yield* joinHalves(prefix, halves, suffixes);
}

function sideOf(name: string, suffixes: PairSuffixes): keyof Halves | undefined {
  if (name.endsWith(suffixes.uri)) return 'uri';
  return name.endsWith(suffixes.digest) ? 'digest' : undefined;
}

function* joinHalves(
  prefix: string,
  { uri, digest }: Halves,
  suffixes: PairSuffixes,
): Generator<PairFinding> {
  if (uri !== undefined && digest !== undefined) {
    const source: Source = { kind: 'result', names: [uri.name, digest.name] };
    yield { pair: { uri: uri.value, digest: digest.value, source } };
  } else if (uri !== undefined) {
    yield { problem: unpaired(uri.name, `${prefix}${suffixes.digest}`) };
  } else if (digest !== undefined) {
    yield { problem: unpaired(digest.name, `${prefix}${suffixes.uri}`) };
  }
}

function unpaired(present: string, missing: string): Problem {
  return {
    code: 'ERR_TEKTON_RESULT_UNPAIRED',
    severity: 'notice',
    message: `result ${present} has no ${missing} beside it, so it names nothing that can be signed`,
    source: { kind: 'result', names: [present] },
  };
}
