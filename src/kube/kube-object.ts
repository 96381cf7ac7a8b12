import { AppError } from '../model/errors.ts';

/** The part of `metadata` that this project reads (apimachinery, meta/v1 ObjectMeta). */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  /** RFC 3339. */
  readonly creationTimestamp?: string;
  /** RFC 3339; present while finalizers hold a deleted object. */
  readonly deletionTimestamp?: string;
  readonly [field: string]: unknown;
}

/** An object as the API server gives it; everything besides `metadata` is unchecked. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

/** An object on its way to the API server; the server fills in the rest of `metadata`. */
export interface KubeObjectDraft {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** True for a JSON object (no array, not null). */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Gives `value` as an object whose `metadata` has the shape it must have; items of core lists carry no `apiVersion`
 * and `kind`, those come from `defaults`. Throws ERR_KUBE_ANSWER.
 */
export function parseKubeObject(
  value: unknown,
  defaults: { readonly apiVersion: string; readonly kind: string },
): KubeObject {
  if (!isRecord(value) || !isRecord(value['metadata'])) throw malformed(defaults.kind, 'metadata');
  const fault = findMetadataFault(value['metadata']);
  if (fault !== undefined) throw malformed(defaults.kind, `metadata.${fault}`);
  return (
    typeof value['apiVersion'] === 'string' && typeof value['kind'] === 'string'
      ? value
      : { ...value, ...defaults }
  ) as KubeObject;
}

const textFields = ['namespace', 'uid', 'resourceVersion', 'creationTimestamp', 'deletionTimestamp'];

function findMetadataFault(metadata: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof metadata['name'] !== 'string' || metadata['name'] === '') return 'name';
  const text = textFields.find((field) => !isOptional(metadata[field], isText));
  if (text !== undefined) return text;
  if (!isOptional(metadata['finalizers'], isTextList)) return 'finalizers';
  return ['labels', 'annotations'].find((field) => !isOptional(metadata[field], isTextMap));
}

function isOptional(value: unknown, test: (value: unknown) => boolean): boolean {
  return value === undefined || test(value);
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}

function isTextList(value: unknown): boolean {
  return Array.isArray(value) && value.every(isText);
}

function isTextMap(value: unknown): boolean {
  return isRecord(value) && Object.values(value).every(isText);
}

function malformed(kind: string, field: string): AppError {
  return new AppError('ERR_KUBE_ANSWER', `the API server gave a ${kind} without a usable ${field}`, {
    kind: 'passing',
    remedy: 'Look whether a proxy stands before the API server; this is tried again.',
  });
}
