import type { Problem, Source } from './finding.ts';
import { unreadable } from './named-artifacts.ts';
import type { Finding, NamedArtifact } from './named-artifacts.ts';
import type { TaskRun } from './task-run.ts';

interface Given {
  readonly value: string;
  readonly source: Source;
}

const urlName = 'CHAINS-GIT_URL';
const commitName = 'CHAINS-GIT_COMMIT';

/**
 * Reads the source repository from `CHAINS-GIT_URL` and `CHAINS-GIT_COMMIT`, each from the result, else the run's param,
 * else the param's default; an empty value counts as absent. The url gets `git+` before and `.git` behind it (SPDX
 * download location), the commit is a sha1 or, with 64 hex digits, a sha256. One without the other is a notice.
 */
export function* findGitSource(run: TaskRun): Generator<Finding<NamedArtifact>> {
  const url = findGiven(run, urlName);
  const commit = findGiven(run, commitName);
  if (url === undefined && commit === undefined) return;
  if (url === undefined || commit === undefined) {
    yield { problem: unpaired(url ?? commit, url === undefined ? urlName : commitName) };
    return;
  }
  const sources = mergeSources(url.source, commit.source);
  const hex = commit.value.toLowerCase();
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(hex)) {
    yield unreadable(
      commit.source,
      `${commitName} "${commit.value.slice(0, 160)}" is no commit id of 40 or 64 hex digits`,
    );
    return;
  }
  yield {
    artifact: { name: gitUri(url.value), digest: { [hex.length === 40 ? 'sha1' : 'sha256']: hex }, sources },
  };
}

function findGiven(run: TaskRun, name: string): Given | undefined {
  const params =
    run.status.taskSpec?.params.map(({ name: key, default: value }) => ({ name: key, value })) ?? [];
  return (
    findIn(run.status.results, 'result', name) ??
    findIn(run.spec.params, 'param', name) ??
    findIn(params, 'param-default', name)
  );
}

function findIn(
  values: readonly { readonly name: string; readonly value?: unknown }[],
  kind: Source['kind'],
  name: string,
): Given | undefined {
  const value = values.findLast((candidate) => candidate.name === name)?.value;
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  return { value: value.trim(), source: { kind, names: [name] } };
}

function mergeSources(url: Source, commit: Source): readonly Source[] {
  return url.kind === commit.kind
    ? [{ kind: url.kind, names: [...url.names, ...commit.names] }]
    : [url, commit];
}

function gitUri(url: string): string {
  const prefixed = url.startsWith('git+') ? url : `git+${url}`;
  return prefixed.endsWith('.git') ? prefixed : `${prefixed}.git`;
}

function unpaired(given: Given | undefined, missing: string): Problem {
  const source = given?.source ?? { kind: 'result', names: [] };
  return {
    code: 'ERR_TEKTON_RESULT_UNPAIRED',
    severity: 'notice',
    message: `${source.names.join()} has no ${missing} beside it, so the source repository is not among the materials`,
    source,
  };
}
