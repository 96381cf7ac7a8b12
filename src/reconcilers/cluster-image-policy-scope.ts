import { isRecord } from '../kube/kube-object.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { isAppError } from '../model/errors.ts';
import type { AppError } from '../model/errors.ts';
import { exceptionsBy } from '../policy/cluster-image-policy.ts';
import type { CompiledClusterPolicy } from '../policy/compiled-policy.ts';
import { compileGlob } from '../policy/image-glob.ts';
import type { ImageGlob } from '../policy/image-glob.ts';
import { clusterImagePolicyShape } from '../policy/policy-schema.ts';
import { specFaults } from '../policy/policy-rules.ts';
import type { MatchRule } from '../policy/policy-schema.ts';

/**
 * Stands for a policy that cannot be compiled: it denies the images that the policy is about. What of that cannot be read
 * counts as everything: a glob that is none stands for all images (policy-controller too refuses every image then), rules
 * of `match` that are none for all kinds of objects. It warns only if the policy says so in so many words.
 */
export function brokenPolicyOf({ metadata, ...object }: KubeObject, fault: AppError): CompiledClusterPolicy {
  const spec = isRecord(object['spec']) ? object['spec'] : {};
  return {
    name: metadata.name,
    mode: spec['mode'] === 'warn' ? 'warn' : 'enforce',
    evaluation: 'strict',
    exceptions: exceptionsBy(metadata.annotations),
    globs: globsOf(spec['images']),
    match: matchOf(spec['match']),
    authorities: [],
    fault,
  };
}

function globsOf(images: unknown): readonly ImageGlob[] {
  if (images === undefined || images === null) return [];
  if (!Array.isArray(images)) return [compileGlob('**')];
  return images.map((image: unknown) => globOf(isRecord(image) ? image['glob'] : undefined));
}

function globOf(glob: unknown): ImageGlob {
  try {
    return compileGlob(typeof glob === 'string' ? glob : '**');
  } catch (error) {
    if (!isAppError(error)) throw error;
    return compileGlob('**');
  }
}

const { match: matchShape } = clusterImagePolicyShape.shape.spec.unwrap().shape;

function matchOf(match: unknown): readonly MatchRule[] {
  const read = matchShape.safeParse(match);
  if (!read.success) return [];
  const probe = { images: [], authorities: [], mode: 'enforce', match: read.data };
  const isUsable = specFaults(probe, '').every(
    ({ paths }) => !paths.some((path) => path.startsWith('spec.match')),
  );
  return isUsable ? read.data : [];
}
