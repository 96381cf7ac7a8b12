import type { Settings } from '../settings/settings-schema.ts';
import { imagePolicyExceptionSchema } from '../settings/image-policy-exception.ts';
import { isAppError } from '../model/errors.ts';
import { isDigest } from '../model/digest.ts';
import { formatRepository, parsePinnedImage } from '../model/image-reference.ts';
import { objectIn } from '../model/json-object.ts';
import type { JsonObject } from '../model/json-object.ts';
import { compileGlob, matchesGlob } from './image-glob.ts';
import type { ImageGlob } from './image-glob.ts';
import type { AppliedException } from './judgement.ts';

/** What the settings allow. */
export type ExceptionRules = Settings['exceptions'];

/** An exception whose fields were checked: for images of one namespace, from one policy, until an instant. */
export interface PolicyException {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly policy: string;
  readonly image: ImageGlob;
  readonly expiresAt: Date;
  readonly reason: string;
  readonly requestedBy: string;
  readonly approvedBy: string;
}

/** What reading an exception tells; `exception` is absent if there is a fault, and nothing is excused then. */
export interface ExceptionReading {
  readonly exception?: PolicyException;
  readonly faults: readonly string[];
}

/**
 * Reads an ImagePolicyException by what the settings allow. That it has ended is no fault: `now` counts for one that is
 * only about to be made. All faults at once.
 */
export function readPolicyException(
  object: JsonObject,
  rules: ExceptionRules,
  { now }: { readonly now: Date },
): ExceptionReading {
  const { name, namespace, uid, creationTimestamp } = objectIn(object['metadata']);
  const read = imagePolicyExceptionSchema.safeParse(object['spec']);
  if (!read.success) {
    return { faults: read.error.issues.map(({ path, message }) => `spec.${path.join('.')}: ${message}`) };
  }
  const { image, expiresAt, ...spec } = read.data;
  const glob = globOf(image);
  const end = new Date(expiresAt);
  const createdMs = typeof creationTimestamp === 'string' ? Date.parse(creationTimestamp) : now.getTime();
  const place = textOf(namespace);
  const faults = [
    ...placeFaults(place, rules),
    ...imageFaults(image, glob, rules),
    ...timeFaults(end, createdMs, rules),
  ];
  if (glob === undefined || faults.length > 0) return { faults };
  const identity = { namespace: place, name: textOf(name), uid: textOf(uid) };
  return { exception: { ...identity, ...spec, image: glob, expiresAt: end }, faults };
}

/** The exception that lets an image (`HOST/PATH@DIGEST`) off a policy now, if there is one. */
export function findException(
  exceptions: readonly PolicyException[],
  { policy, image, now }: { readonly policy: string; readonly image: string; readonly now: Date },
): AppliedException | undefined {
  const found = exceptions.find(
    (one) => one.policy === policy && one.expiresAt > now && matchesGlob(one.image, image),
  );
  if (found === undefined) return undefined;
  const { namespace, name, uid, reason, requestedBy, approvedBy, expiresAt } = found;
  return { namespace, name, uid, reason, requestedBy, approvedBy, expiresAt: expiresAt.toISOString() };
}

function placeFaults(namespace: string, { enabled, namespaces }: ExceptionRules): readonly string[] {
  if (!enabled) return ['exceptions are not honoured in this cluster (exceptions.enabled)'];
  return namespaces.includes(namespace)
    ? []
    : [`exceptions of namespace ${namespace} are not honoured (exceptions.namespaces)`];
}

function imageFaults(
  image: string,
  glob: ImageGlob | undefined,
  { digestOnly }: ExceptionRules,
): readonly string[] {
  const isOne = isOneImage(image);
  if (glob === undefined) return [`spec.image: "${image}" is no ${isOne ? 'image reference' : 'glob'}`];
  return isOne || !digestOnly ? [] : ['spec.image: has to be HOST/PATH@sha256:HEX (exceptions.digestOnly)'];
}

function isOneImage(image: string): boolean {
  const digest = image.slice(image.lastIndexOf('@') + 1);
  return image.includes('@') && isDigest(digest) && !image.includes('*');
}

function timeFaults(end: Date, createdMs: number, { maxDurationMs }: ExceptionRules): readonly string[] {
  if (Number.isNaN(end.getTime())) return ['spec.expiresAt: is no instant'];
  if (Number.isNaN(createdMs)) return ['metadata.creationTimestamp: is no instant'];
  const latest = new Date(createdMs + maxDurationMs);
  return end <= latest
    ? []
    : [`spec.expiresAt: is later than ${latest.toISOString()} (exceptions.maxDuration)`];
}

/** One image counts by its full name, by which it is judged; short names in globs are those of policies. */
function globOf(image: string): ImageGlob | undefined {
  try {
    return compileGlob(isOneImage(image) ? fullNameOf(image) : image);
  } catch (error) {
    if (isAppError(error)) return undefined;
    throw error;
  }
}

function fullNameOf(image: string): string {
  const { repository, digest } = parsePinnedImage(image);
  return `${formatRepository(repository)}@${digest}`;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
