import type { DigestSet } from './artifact-digest.ts';
import type { Problem, Source } from './finding.ts';

/** What subjects and materials have in common. */
export interface NamedArtifact {
  readonly name: string;
  readonly digest: DigestSet;
  readonly sources: readonly Source[];
}

/** What one place of a run yields: an artifact, or why there is none. */
export type Finding<Artifact extends NamedArtifact> =
  { readonly artifact: Artifact } | { readonly problem: Problem };

/** A finding that is a problem of severity `error` with code ERR_TEKTON_RESULT. */
export function unreadable(source: Source, message: string): { readonly problem: Problem } {
  return { problem: { code: 'ERR_TEKTON_RESULT', severity: 'error', message, source } };
}

/**
 * Collects findings in their order. Artifacts of one name that share a digest are one artifact with the digests and
 * sources of both, as Chains merges them; the same name with another digest is another artifact.
 */
export function collectFindings<Artifact extends NamedArtifact>(
  findings: Iterable<Finding<Artifact>>,
): { readonly artifacts: Artifact[]; readonly problems: Problem[] } {
  const artifacts: Artifact[] = [];
  const problems: Problem[] = [];
  const placesByName = new Map<string, number[]>();
  for (const finding of findings) {
    if ('problem' in finding) {
      problems.push(finding.problem);
      continue;
    }
    const { artifact } = finding;
    const places = placesByName.get(artifact.name) ?? [];
    placesByName.set(artifact.name, places);
    const place = places.find((index) => sharesDigest(artifacts[index], artifact));
    const earlier = place === undefined ? undefined : artifacts[place];
    if (place === undefined || earlier === undefined) {
      places.push(artifacts.push(artifact) - 1);
    } else {
      artifacts[place] = merge(earlier, artifact);
    }
  }
  return { artifacts, problems };
}

function sharesDigest(earlier: NamedArtifact | undefined, later: NamedArtifact): boolean {
  return Object.entries(later.digest).some(([algorithm, hex]) => earlier?.digest[algorithm] === hex);
}

function merge<Artifact extends NamedArtifact>(earlier: Artifact, later: Artifact): Artifact {
  return {
    ...later,
    ...earlier,
    digest: { ...earlier.digest, ...later.digest },
    sources: addSources(earlier.sources, later.sources),
  };
}

function addSources(earlier: readonly Source[], later: readonly Source[]): readonly Source[] {
  const seen = new Set(earlier.map((source) => JSON.stringify(source)));
  return [...earlier, ...later.filter((source) => !seen.has(JSON.stringify(source)))];
}
