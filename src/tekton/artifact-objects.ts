import { findArtifactDigest } from './artifact-digest.ts';
import type { Problem, Source } from './finding.ts';
import { unreadable } from './named-artifacts.ts';
import type { TaskRun } from './task-run.ts';

/** A result whose value is an object with `uri` and `digest`. */
export interface ArtifactObject {
  readonly uri: string;
  readonly digest: { readonly algorithm: string; readonly hex: string };
  /** True if its author set `isBuildArtifact` to `"true"`. */
  readonly isBuildArtifact: boolean;
  readonly source: Source;
}

/** Reads the object results whose names end in `suffix`. An object with neither uri nor digest says that there is none. */
export function* findArtifactObjects(
  run: TaskRun,
  suffix: 'ARTIFACT_OUTPUTS' | 'ARTIFACT_INPUTS',
): Generator<{ readonly object: ArtifactObject } | { readonly problem: Problem }> {
  for (const { name, value } of run.status.results) {
    if (!name.endsWith(suffix)) continue;
    const source: Source = { kind: 'result', names: [name] };
    const fields = fieldsOf(value);
    if (fields === undefined) {
      yield unreadable(source, `result ${name} is no object with uri and digest`);
      continue;
    }
    const uri = (fields['uri'] ?? '').trim();
    const text = fields['digest'] ?? '';
    if (uri === '' && text === '') continue;
    const digest = findArtifactDigest(text);
    if (uri === '' || digest === undefined) {
      const fault = uri === '' ? 'has no uri' : `has no digest of the form ALGORITHM:HEX`;
      yield unreadable(source, `result ${name} ${fault}`);
      continue;
    }
    yield { object: { uri, digest, isBuildArtifact: fields['isBuildArtifact'] === 'true', source } };
  }
}

function fieldsOf(
  value: TaskRun['status']['results'][number]['value'],
): Readonly<Record<string, string>> | undefined {
  return typeof value === 'string' || Array.isArray(value)
    ? undefined
    : (value as Readonly<Record<string, string>>);
}
