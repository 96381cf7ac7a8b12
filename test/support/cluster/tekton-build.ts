import { join } from 'node:path';
import { builderImage, shellImage } from '../../../hack/stack/node/images.ts';
import { kubectl } from '../../../hack/stack/stack.ts';
import type { Stack } from '../../../hack/stack/stack.ts';
import { checkout } from '../chainwright-process.ts';
import { registryFlags } from '../pods/installation.ts';
import { waitFor } from '../waiting.ts';

/** What a build is asked for. */
export interface BuildRequest {
  readonly name: string;
  /** `HOST/PATH:TAG`. */
  readonly image: string;
  readonly greeting: string;
}

/** What Tekton made of a PipelineRun. */
export interface FinishedBuild {
  /** Its only TaskRun. */
  readonly taskRun: string;
  readonly url: string;
  readonly digest: string;
}

interface PipelineRun {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message: string;
    }[];
    readonly results?: readonly { readonly name: string; readonly value: string }[];
    readonly childReferences?: readonly { readonly name: string }[];
  };
}

/** A namespace in which a team builds: its Pipeline, and an account that may push to the registry. */
export async function prepareBuilds(stack: Stack, namespace: string): Promise<void> {
  const inNamespace = (...args: readonly string[]): Promise<string> => kubectl(['-n', namespace, ...args]);
  const secret = ['create', 'secret', 'docker-registry', 'registry'];
  await inNamespace(...secret, ...registryFlags(stack, stack.robot));
  await inNamespace('create', 'configmap', 'stack-ca', `--from-file=ca.crt=${stack.ca}`);
  await inNamespace('create', 'serviceaccount', 'builder');
  const secrets = JSON.stringify({ secrets: [{ name: 'registry' }] });
  await inNamespace('patch', 'serviceaccount', 'builder', '--patch', secrets);
  await inNamespace('create', '-f', join(checkout, 'test/fixtures/cluster/pipeline.yaml'));
}

/** Starts a PipelineRun, as `kubectl create` does. */
export async function startBuild(namespace: string, { name, image, greeting }: BuildRequest): Promise<void> {
  const params = { image, greeting, builder: builderImage, base: shellImage };
  const run = {
    apiVersion: 'tekton.dev/v1',
    kind: 'PipelineRun',
    metadata: { name, namespace },
    spec: {
      pipelineRef: { name: 'release' },
      params: Object.entries(params).map(([key, value]) => ({ name: key, value })),
      taskRunTemplate: { serviceAccountName: 'builder' },
    },
  };
  await kubectl(['create', '-f', '-'], JSON.stringify(run));
}

/** Waits until Tekton has finished a PipelineRun. Throws with Tekton's own words if it failed. */
export async function waitUntilBuilt(namespace: string, name: string): Promise<FinishedBuild> {
  const status = await waitFor(
    async () => {
      const text = await kubectl(['-n', namespace, 'get', 'pipelinerun', name, '-o', 'json']);
      const { status: found } = JSON.parse(text) as PipelineRun;
      const succeeded = found?.conditions?.find(({ type }) => type === 'Succeeded');
      return succeeded === undefined || succeeded.status === 'Unknown' ? undefined : { ...found, succeeded };
    },
    { what: `PipelineRun ${name} being finished`, timeoutMs: 180_000, pollMs: 500 },
  );
  const { succeeded, results = [], childReferences = [] } = status;
  if (succeeded.status !== 'True') throw new Error(`${name}: ${succeeded.message}`);
  const result = (wanted: string): string => results.find((one) => one.name === wanted)?.value ?? '';
  return {
    taskRun: childReferences[0]?.name ?? '',
    url: result('IMAGE_URL'),
    digest: result('IMAGE_DIGEST'),
  };
}
