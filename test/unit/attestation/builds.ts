import type { AttestationJob } from '../../../src/attestation/attest-build.ts';
import { planBuild } from '../../../src/attestation/plan-build.ts';
import type { BuildPlan, BuildPolicy } from '../../../src/attestation/plan-build.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import { formatRepository, parseRepository } from '../../../src/model/image-reference.ts';
import type { PinnedImage } from '../../../src/model/image-reference.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import { parseTaskRun } from '../../../src/tekton/task-run.ts';
import type { TaskRun } from '../../../src/tekton/task-run.ts';
import { pushImage } from '../registry/sample-images.ts';

export const appRepository = parseRepository('harbor.golems.internal/golem-trust/app');
export const toolRepository = parseRepository('harbor.golems.internal/golem-trust/tool');

/** Everything, in both layouts: the default settings. */
export const bothLayouts: BuildPolicy = {
  provenance: { format: 'slsa/v1', builderId: 'https://tekton.golems.internal/chains/v2', inRegistry: true },
  signImages: true,
  layouts: ['tag', 'referrer'],
  isKeptOnRun: false,
};

/** What a test may vary of a run. */
export interface RunOptions {
  readonly uid?: string;
  readonly completionTime?: string;
  /** Status of the condition Succeeded; `Unknown` while it runs. */
  readonly verdict?: 'True' | 'False' | 'Unknown';
}

/** The TaskRun `team/build` with these results, as the API server gives it. */
export function runObject(
  results: Readonly<Record<string, string>>,
  { uid = 'uid-of-build', completionTime = '2026-11-22T10:00:05Z', verdict = 'True' }: RunOptions = {},
): KubeObject {
  return {
    apiVersion: 'tekton.dev/v1',
    kind: 'TaskRun',
    metadata: { name: 'build', namespace: 'team', uid, creationTimestamp: '2026-11-22T10:00:00Z' },
    spec: { params: [{ name: 'revision', value: 'main' }] },
    status: {
      conditions: [{ type: 'Succeeded', status: verdict }],
      startTime: '2026-11-22T10:00:01Z',
      completionTime,
      results: Object.entries(results).map(([name, value]) => ({ name, type: 'string', value })),
    },
  };
}

/** The type-hinting results of one image. */
export function imageResults(image: PinnedImage, prefix = ''): Record<string, string> {
  return {
    [`${prefix}IMAGE_URL`]: formatRepository(image.repository),
    [`${prefix}IMAGE_DIGEST`]: image.digest,
  };
}

/** Results that name a file. */
export const fileResults = {
  REPORT_ARTIFACT_URI: 'https://reports.golems.internal/report.pdf',
  REPORT_ARTIFACT_DIGEST: `sha256:${'f'.repeat(64)}`,
};

/** Pushes an image of its own and gives its pinned reference. */
export async function pushApp(
  store: ImageStore,
  content = 'app',
  repository = appRepository,
): Promise<PinnedImage> {
  const { digest } = await pushImage(store, repository, content);
  return { repository, digest };
}

/** A finished run and its plan. */
export async function planOf(
  results: Readonly<Record<string, string>>,
  store: ImageStore,
  policy: BuildPolicy = bothLayouts,
): Promise<{ readonly run: TaskRun; readonly plan: BuildPlan }> {
  const run = parseTaskRun(runObject(results));
  const { signal } = new AbortController();
  return { run, plan: await planBuild(run, policy, { store, sources: [], signal }) };
}

/** The job of a plan. */
export function jobOf(
  { run, plan }: { readonly run: TaskRun; readonly plan: BuildPlan },
  store: ImageStore,
): AttestationJob {
  const { namespace, name, uid } = run.metadata;
  return {
    run: { kind: 'TaskRun', namespace, name, uid },
    artifacts: plan.artifacts,
    store,
    completedAt: new Date('2026-11-22T10:00:05Z'),
    faults: plan.faults,
  };
}

/** `KIND/LAYOUT` of each destination of an artifact, for expectations. */
export function placesOf({ artifacts }: BuildPlan): readonly string[] {
  return artifacts.flatMap(({ kind, form, destinations }) =>
    destinations.map(({ layout, repository }) => `${kind} ${form} ${layout} ${formatRepository(repository)}`),
  );
}
