import { stringify } from 'yaml';
import { digestOf } from '../../model/digest.ts';
import type { Digest } from '../../model/digest.ts';

/** What the sample run says that it built. */
export interface SampleBuild {
  readonly name: string;
  /** `HOST/PATH:TAG`. */
  readonly image: string;
  readonly digest: Digest;
  readonly completedAt: Date;
}

const buildSeconds = 54;

/** A TaskRun as Tekton leaves it when a build ended well, as YAML. */
export function sampleTaskRun({ name, image, digest, completedAt }: SampleBuild): string {
  const startTime = toSeconds(new Date(completedAt.getTime() - buildSeconds * 1000));
  const completionTime = toSeconds(completedAt);
  const builder = `quay.io/buildah/stable@${digestOf('the image that the demo pretends to have built with')}`;
  return stringify({
    apiVersion: 'tekton.dev/v1',
    kind: 'TaskRun',
    metadata: {
      name,
      namespace: 'ci',
      uid: 'de300000-0000-4000-8000-000000000001',
      creationTimestamp: startTime,
      labels: { 'tekton.dev/task': 'buildah' },
    },
    spec: { params: [{ name: 'IMAGE', value: image }], serviceAccountName: 'builder' },
    status: {
      startTime,
      completionTime,
      conditions: [{ type: 'Succeeded', status: 'True', reason: 'Succeeded' }],
      results: [
        { name: 'IMAGE_URL', type: 'string', value: image },
        { name: 'IMAGE_DIGEST', type: 'string', value: digest },
        { name: 'CHAINS-GIT_URL', type: 'string', value: 'https://git.golems.internal/example-service' },
        { name: 'CHAINS-GIT_COMMIT', type: 'string', value: '7f2f46e1b97df36b2b82d1b1d87c81b8b3d21601' },
      ],
      steps: [{ name: 'build-and-push', container: 'step-build-and-push', imageID: builder }],
      taskSpec: { steps: [{ name: 'build-and-push', script: 'buildah bud . && buildah push\n' }] },
    },
  });
}

function toSeconds(time: Date): string {
  return time.toISOString().replace(/\.\d{3}Z$/, 'Z');
}
