import { PackageURL } from 'packageurl-js';
import { formatRepository } from '../model/image-reference.ts';
import type { PinnedImage } from '../model/image-reference.ts';
import { findDigestSet } from './artifact-digest.ts';
import type { DigestSet } from './artifact-digest.ts';
import type { Source } from './finding.ts';
import { unreadable } from './named-artifacts.ts';
import type { Finding, NamedArtifact } from './named-artifacts.ts';
import { findRegistryLocation } from './registry-location.ts';
import type { NativeArtifact, TaskRun } from './task-run.ts';

/**
 * Reads the outputs that steps declared with `buildOutput: true` (Tekton, docs/artifacts.md, "Output Artifacts in SLSA
 * Provenance"; the others are by-products). One is an image if its uri names registry and repository, or is a
 * `pkg:oci` package URL with a `repository_url` (purl-spec, type definition oci); its name is the repository then.
 */
export function* findNativeOutputs(
  run: TaskRun,
): Generator<Finding<NamedArtifact & { readonly image?: PinnedImage }>> {
  for (const artifact of run.status.artifacts?.outputs ?? []) {
    if (artifact.buildOutput !== true) continue;
    for (const finding of readValues(artifact)) {
      yield 'problem' in finding ? finding : { artifact: asImage(finding.artifact) };
    }
  }
}

/** Reads the inputs that steps declared; their uris stay as they are. */
export function* findNativeInputs(run: TaskRun): Generator<Finding<NamedArtifact>> {
  for (const artifact of run.status.artifacts?.inputs ?? []) yield* readValues(artifact);
}

function* readValues(artifact: NativeArtifact): Generator<Finding<NamedArtifact>> {
  const source: Source = { kind: 'artifact', names: [artifact.name] };
  for (const { uri, digest: digests } of artifact.values) {
    const digest = findDigestSet(digests);
    if (uri === '' || digest === undefined) {
      const fault = uri === '' ? 'no uri' : 'no digest, or one that is no lower-case hex of its algorithm';
      yield unreadable(source, `artifact ${artifact.name} has a value with ${fault}`);
    } else {
      yield { artifact: { name: uri, digest, sources: [source] } };
    }
  }
}

function asImage(artifact: NamedArtifact): NamedArtifact & { readonly image?: PinnedImage } {
  const image = findImage(artifact.name, artifact.digest);
  return image === undefined ? artifact : { ...artifact, name: formatRepository(image.repository), image };
}

function findImage(uri: string, digest: DigestSet): PinnedImage | undefined {
  const { sha256 } = digest;
  const name = uri.startsWith('pkg:') ? repositoryOfPackageUrl(uri) : uri;
  if (sha256 === undefined || name === undefined) return undefined;
  return findRegistryLocation(name, { algorithm: 'sha256', hex: sha256 }, { hostRequired: true });
}

// Writers differ in whether repository_url ends with the image's own name; Tekton's documentation leaves it out.
function repositoryOfPackageUrl(uri: string): string | undefined {
  try {
    const { type, name, qualifiers } = PackageURL.fromString(uri);
    const location = qualifiers?.['repository_url'];
    if (type !== 'oci' || location === undefined || location === '') return undefined;
    const bareName = name.replace(/:.*$/, '');
    return location.split('/').at(-1) === bareName ? location : `${location}/${bareName}`;
  } catch {
    // Not a package URL after all: the uri then only serves as the subject's name.
    return undefined;
  }
}
