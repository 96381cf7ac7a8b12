import { findArtifactObjects } from './artifact-objects.ts';
import type { DigestSet } from './artifact-digest.ts';
import type { Problem, Source } from './finding.ts';
import { findGitSource } from './git-source.ts';
import { collectFindings } from './named-artifacts.ts';
import type { Finding, NamedArtifact } from './named-artifacts.ts';
import { findNativeInputs } from './native-artifacts.ts';
import type { TaskRun } from './task-run.ts';

/** Something that a run used. */
export interface FoundMaterial {
  readonly uri: string;
  readonly digest: DigestSet;
  readonly sources: readonly Source[];
}

/**
 * What a run used, in this order: images of steps, images of sidecars, the source repository, `*ARTIFACT_INPUTS` results,
 * `status.artifacts.inputs`. A container without a usable image id (it never started) is left out with a notice, where
 * Chains fails the whole run.
 */
export function findMaterials(run: TaskRun): {
  readonly materials: readonly FoundMaterial[];
  readonly problems: readonly Problem[];
} {
  const { artifacts, problems } = collectFindings(findEveryMaterial(run));
  return { materials: artifacts.map(({ name, ...rest }) => ({ uri: name, ...rest })), problems };
}

function* findEveryMaterial(run: TaskRun): Generator<Finding<NamedArtifact>> {
  for (const { name, imageID } of run.status.steps)
    yield readImageId(imageID, { kind: 'step', names: [name] });
  for (const { name, imageID } of run.status.sidecars) {
    yield readImageId(imageID, { kind: 'sidecar', names: [name] });
  }
  yield* findGitSource(run);
  for (const finding of findArtifactObjects(run, 'ARTIFACT_INPUTS')) {
    if ('problem' in finding) {
      yield finding;
    } else {
      const { uri, digest, source } = finding.object;
      yield { artifact: { name: uri, digest: { [digest.algorithm]: digest.hex }, sources: [source] } };
    }
  }
  yield* findNativeInputs(run);
}

const imageId = /^(?:docker-pullable:\/\/)?([^@]+)@([^@:]+):([^@:]+)$/;

function readImageId(text: string, source: Source): Finding<NamedArtifact> {
  const [, name, algorithm, hex] = imageId.exec(text) ?? [];
  if (name !== undefined && algorithm !== undefined && hex !== undefined) {
    return { artifact: { name: `oci://${name}`, digest: { [algorithm]: hex }, sources: [source] } };
  }
  const what =
    text === '' ? 'no image id: it never started' : `image id "${text.slice(0, 160)}", which names no digest`;
  return {
    problem: {
      code: 'ERR_TEKTON_IMAGE_ID',
      severity: 'notice',
      message: `${source.kind} ${source.names.join()} has ${what}; its image is not among the materials`,
      source,
    },
  };
}
