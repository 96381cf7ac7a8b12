import type { KubeApi, KubeObject } from './kube-api.ts';
import type { PushedImage } from './images.ts';
import { waitFor } from './waiting.ts';

/** A result of a task. */
export interface RunResult {
  readonly name: string;
  readonly type: 'string' | 'array' | 'object';
  readonly value: unknown;
}

/** What sets a run of a test apart from others. */
export interface RunTemplate {
  readonly namespace: string;
  readonly name: string;
  readonly results: readonly RunResult[];
  /** Content of `status.artifacts`. */
  readonly artifacts?: unknown;
  readonly serviceAccountName?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
}

/** What the tests read from a run. */
export interface RunMarks {
  readonly signed: string | undefined;
  readonly transparency: string | undefined;
  readonly error: string | undefined;
  readonly result: string | undefined;
  readonly logEntries: readonly LogEntryMark[];
}

/** An item of `chainwright.dev/log-entries`. */
interface LogEntryMark {
  readonly kind: 'signature' | 'provenance' | 'sbom';
  readonly subject: string;
  readonly log: string;
  readonly logIndex: number;
  readonly ref: string;
}

/** The type hints by which a task tells what image it pushed. */
export function imageResults(image: Pick<PushedImage, 'repository' | 'digest'>, prefix = ''): RunResult[] {
  return [
    { name: `${prefix}IMAGE_URL`, type: 'string', value: image.repository },
    { name: `${prefix}IMAGE_DIGEST`, type: 'string', value: image.digest },
  ];
}

/** Path of a namespace's TaskRuns, or of one. */
export function runPath(namespace: string, name?: string): string {
  return `/apis/tekton.dev/v1/namespaces/${namespace}/taskruns${name === undefined ? '' : `/${name}`}`;
}

/** Creates a TaskRun that still runs. */
export async function startRun(api: KubeApi, template: RunTemplate): Promise<KubeObject> {
  const { namespace, name, serviceAccountName = 'default', annotations, finalizers } = template;
  return api.create(runPath(namespace), {
    apiVersion: 'tekton.dev/v1',
    kind: 'TaskRun',
    metadata: {
      name,
      namespace,
      labels: { 'tekton.dev/task': 'build-image', 'app.kubernetes.io/managed-by': 'tekton-pipelines' },
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
    },
    spec: {
      serviceAccountName,
      taskRef: { kind: 'Task', name: 'build-image' },
      timeout: '1h0m0s',
      params: [{ name: 'revision', value: name }],
    },
  });
}

/** Completes a TaskRun as Tekton's controller does: by writing its status. */
export async function completeRun(api: KubeApi, template: RunTemplate): Promise<void> {
  await api.mergePatch(`${runPath(template.namespace, template.name)}/status`, {
    status: statusOf(template),
  });
}

/** Creates a TaskRun and completes it; `onComplete` is told right before its completion is sent. */
export async function createCompletedRun(
  api: KubeApi,
  template: RunTemplate,
  onComplete?: () => void,
): Promise<void> {
  await startRun(api, template);
  onComplete?.();
  await completeRun(api, template);
}

const builder = `harbor.golems.internal/golem-trust/builder@sha256:${'1a'.repeat(32)}`;

function statusOf({ name, results, artifacts }: RunTemplate): unknown {
  const now = Date.now();
  const time = (ageMs: number): string => `${new Date(now - ageMs).toISOString().slice(0, 19)}Z`;
  return {
    startTime: time(4000),
    completionTime: time(0),
    podName: `${name}-pod`,
    conditions: [
      {
        type: 'Succeeded',
        status: 'True',
        reason: 'Succeeded',
        message: 'All Steps have completed executing',
        lastTransitionTime: time(0),
      },
    ],
    results,
    ...(artifacts === undefined ? {} : { artifacts }),
    steps: [
      {
        name: 'build',
        container: 'step-build',
        imageID: builder,
        terminated: {
          exitCode: 0,
          reason: 'Completed',
          startedAt: time(3000),
          finishedAt: time(1000),
          containerID: `containerd://${'2b'.repeat(32)}`,
        },
      },
    ],
    taskSpec: {
      params: [{ name: 'revision', type: 'string', default: 'main' }],
      results: results.map(({ name: result, type }) => ({ name: result, type })),
      steps: [{ name: 'build', image: builder, script: '#!/bin/sh\nmake image\n', computeResources: {} }],
    },
  };
}

/** The marks on a run. */
export function marksOf(run: KubeObject): RunMarks {
  const annotations = run.metadata.annotations ?? {};
  return {
    signed: annotations['chains.tekton.dev/signed'],
    transparency: annotations['chains.tekton.dev/transparency'],
    error: annotations['chainwright.dev/error'],
    result: annotations['chainwright.dev/result'],
    logEntries: JSON.parse(annotations['chainwright.dev/log-entries'] ?? '[]') as LogEntryMark[],
  };
}

/** Waits until a run's marks are as `isWanted` wants them, and gives them. */
export async function waitForMarks(
  api: KubeApi,
  run: { readonly namespace: string; readonly name: string },
  isWanted: (marks: RunMarks, object: KubeObject) => boolean,
  { what, timeoutMs = 90_000 }: { readonly what: string; readonly timeoutMs?: number },
): Promise<RunMarks> {
  let last: KubeObject | undefined;
  return waitFor(
    async () => {
      const current = await api.get(runPath(run.namespace, run.name));
      last = current;
      const marks = marksOf(current);
      return isWanted(marks, current) ? marks : undefined;
    },
    { what: `${run.namespace}/${run.name}: ${what}`, timeoutMs },
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}; last seen: ${JSON.stringify(last?.metadata.annotations ?? {})}`, {
      cause: error,
    });
  });
}

/** Waits until a run is signed by us: the mark, and the log entries that go with it. */
export async function waitUntilSigned(
  api: KubeApi,
  run: { readonly namespace: string; readonly name: string },
  timeoutMs = 90_000,
): Promise<RunMarks> {
  return waitForMarks(api, run, ({ signed, logEntries }) => signed === 'true' && logEntries.length > 0, {
    what: 'being signed',
    timeoutMs,
  });
}
