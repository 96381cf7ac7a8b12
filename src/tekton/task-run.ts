import { z } from 'zod';
import { AppError } from '../model/errors.ts';

/** Value of a param or result (Tekton v1 `ParamValue`): a string, a list of strings or an object of strings. */
export type ParamValue = string | readonly string[] | Readonly<Record<string, string>>;

const stringOrEmpty = z
  .string()
  .nullish()
  .transform((value) => value ?? '');
const dictionary = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});
const time = z.iso
  .datetime({ offset: true })
  .nullish()
  .transform((value) => value ?? undefined);
// As Tekton's own decoder does: what is neither string, list of strings nor object of strings is kept as its JSON text.
const paramValue = z
  .unknown()
  .transform((value): ParamValue => (isParamValue(value) ? value : JSON.stringify(value ?? null)));

function listOf<Item extends z.ZodType>(item: Item) {
  return z
    .array(item)
    .nullish()
    .transform((value) => value ?? []);
}

function optional<Inner extends z.ZodType>(inner: Inner) {
  return inner.nullish().transform((value) => value ?? undefined);
}

const namedValue = z.object({
  name: z.string(),
  value: optional(paramValue).transform((value) => value ?? ''),
});
const refSource = z.object({ uri: stringOrEmpty, digest: dictionary, entryPoint: stringOrEmpty });
const artifact = z.object({
  name: stringOrEmpty,
  buildOutput: optional(z.boolean()),
  values: listOf(z.object({ uri: stringOrEmpty, digest: dictionary })),
});
const containerState = z.object({ name: stringOrEmpty, imageID: stringOrEmpty });

const metadata = z.object({
  name: z.string().min(1),
  namespace: stringOrEmpty,
  uid: stringOrEmpty,
  resourceVersion: stringOrEmpty,
  creationTimestamp: time,
  deletionTimestamp: time,
  labels: dictionary,
  annotations: dictionary,
  finalizers: listOf(z.string()),
  ownerReferences: listOf(z.object({ kind: z.string(), name: z.string(), uid: stringOrEmpty })),
});

const spec = z.object({
  params: listOf(namedValue),
  serviceAccountName: stringOrEmpty,
  managedBy: stringOrEmpty,
  podTemplate: optional(z.object({ imagePullSecrets: listOf(z.object({ name: stringOrEmpty })) })),
});

const status = z.object({
  conditions: listOf(
    z.object({ type: z.string(), status: z.string(), reason: stringOrEmpty, message: stringOrEmpty }),
  ),
  startTime: time,
  completionTime: time,
  steps: listOf(containerState),
  sidecars: listOf(containerState),
  results: listOf(namedValue),
  artifacts: optional(z.object({ inputs: listOf(artifact), outputs: listOf(artifact) })),
  provenance: optional(z.object({ refSource: optional(refSource) })),
  taskSpec: optional(
    z.object({
      params: listOf(
        z.object({
          name: z.string(),
          default: optional(paramValue),
        }),
      ),
      steps: listOf(
        z.object({
          name: stringOrEmpty,
          script: stringOrEmpty,
          command: listOf(z.string()),
          args: optional(z.array(z.string())),
        }),
      ),
    }),
  ),
});

const emptyStatus: z.input<typeof status> = {};
const taskRun = z.object({
  apiVersion: z.literal('tekton.dev/v1').optional(),
  kind: z.literal('TaskRun').optional(),
  metadata,
  spec: spec.nullish().transform((value) => value ?? spec.parse({})),
  status: status.nullish().transform((value) => value ?? status.parse(emptyStatus)),
});

type DeepReadonly<T> = T extends string | boolean | undefined
  ? T
  : { readonly [Key in keyof T]: DeepReadonly<T[Key]> };

/**
 * A `tekton.dev/v1` TaskRun as far as it is read here: absent strings are `''`, absent lists `[]` and absent
 * dictionaries `{}`, as in Tekton's own types; labels, annotations, params and results are complete.
 */
export type TaskRun = DeepReadonly<z.output<typeof taskRun>>;

/** A material or subject that a step declared itself (`status.artifacts`, Tekton v1 `Artifact`). */
export type NativeArtifact = NonNullable<TaskRun['status']['artifacts']>['outputs'][number];

/**
 * Reads a TaskRun object as the API server gives it; unknown fields are ignored, list items carry no apiVersion and
 * kind. Throws ERR_TEKTON_TASKRUN, which names the run and each field at fault.
 */
export function parseTaskRun(object: unknown): TaskRun {
  const parsed = taskRun.safeParse(object);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.slice(0, 5);
  const text = faults.map((issue) => `${issue.path.join('.') || 'object'}: ${issue.message}`).join('; ');
  const name = describeObject(object);
  throw new AppError('ERR_TEKTON_TASKRUN', `TaskRun ${name} cannot be read: ${text}`, {
    kind: 'permanent',
    object: name,
    remedy: 'Check that the object is a tekton.dev/v1 TaskRun as the API server gives it.',
  });
}

/** `namespace/name` of a run, as messages and Events name it. */
export function nameOfRun(run: TaskRun): string {
  return run.metadata.namespace === '' ? run.metadata.name : `${run.metadata.namespace}/${run.metadata.name}`;
}

/** True once the run has ended: its condition Succeeded is True or False (also cancelled and timed-out runs). */
export function isComplete(run: TaskRun): boolean {
  const verdict = findVerdict(run);
  return verdict === 'True' || verdict === 'False';
}

/** True if the run has ended well. */
export function succeeded(run: TaskRun): boolean {
  return findVerdict(run) === 'True';
}

/**
 * True if this run is to be signed by us: nobody else than Tekton manages it (`spec.managedBy` empty or
 * `tekton.dev/pipeline`), or the settings list its manager (`filter.managed-by`).
 */
export function isOurs(
  { spec: { managedBy } }: { readonly spec: Pick<TaskRun['spec'], 'managedBy'> },
  furtherManagers: readonly string[] = [],
): boolean {
  return managedBy === '' || managedBy === 'tekton.dev/pipeline' || furtherManagers.includes(managedBy);
}

function findVerdict(run: TaskRun): string | undefined {
  return run.status.conditions.find((condition) => condition.type === 'Succeeded')?.status;
}

function isParamValue(value: unknown): value is ParamValue {
  if (typeof value === 'string') return true;
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).every((item) => typeof item === 'string');
}

const nameOnly = z.object({ metadata: z.object({ name: z.string(), namespace: z.string().optional() }) });

function describeObject(object: unknown): string {
  const named = nameOnly.safeParse(object);
  if (!named.success) return '(unnamed)';
  const { name, namespace } = named.data.metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}
