import { AppError } from '../model/errors.ts';
import { splitDigest } from '../model/digest.ts';
import type { Digest } from '../model/digest.ts';
import { findBase64 } from '../statements/base64.ts';

/** One signed payload that is to lie on the run itself. */
export interface RunPayload {
  /** From {@link runShortKey} or {@link imageShortKey}. */
  readonly shortKey: string;
  readonly payload: Uint8Array;
  /** For statements the whole DSSE envelope as JSON, for image signatures the bare signature in base64: as Chains does. */
  readonly signature: Uint8Array;
  /** PEM of the signing certificate and of its chain; absent for bare keys. */
  readonly certificatePem?: string;
  readonly chainPem?: string;
}

/** What all payloads on one run may take, keys included: they are copied with each update of the run. */
export const maxRunStorageBytes = 100 * 1024;
// TotalAnnotationSizeLimitB of apimachinery, pkg/api/validation/objectmeta.go.
const maxAnnotationBytes = 256 * 1024;
const shortKeyPattern = /^[\da-z][\da-z-]{0,50}[\da-z]$/;

/** Chains' short key of a run, e.g. `taskrun-0f…` of a TaskRun's UID. */
export function runShortKey(kind: 'TaskRun' | 'PipelineRun', uid: string): string {
  return `${kind.toLowerCase()}-${uid}`;
}

/** Chains' short key of an image: the first twelve hex digits of its digest. */
export function imageShortKey(digest: Digest): string {
  return splitDigest(digest).hex.slice(0, 12);
}

/**
 * The annotations `chains.tekton.dev/{payload,signature,cert,chain}-<short key>`, each base64, as Chains' tekton
 * storage writes them and `tkn chain` reads them. `existing` are the annotations that the run has: those that stay
 * count towards the limit. Throws ERR_STORAGE_TOO_LARGE, ERR_STORAGE_KEY.
 */
export function runAnnotations(
  payloads: readonly RunPayload[],
  existing: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const annotations: Record<string, string> = {};
  for (const item of payloads) Object.assign(annotations, annotationsOf(item));
  const kept = Object.entries(existing).filter(([key]) => !Object.hasOwn(annotations, key));
  const stored = sizeOf(kept.filter(([key]) => isPayloadKey(key))) + sizeOf(Object.entries(annotations));
  if (stored > maxRunStorageBytes) throw tooLarge(stored, maxRunStorageBytes, 'signed payloads');
  const total = sizeOf(kept) + sizeOf(Object.entries(annotations));
  if (total > maxAnnotationBytes) throw tooLarge(total, maxAnnotationBytes, 'annotations');
  return annotations;
}

/** The signature that lies on a run under this key, by Chains or by us; undefined if there is none that can be read. */
export function findRunSignature(
  annotations: Readonly<Record<string, string>>,
  shortKey: string,
): Uint8Array | undefined {
  const text = annotations[`chains.tekton.dev/signature-${shortKey}`];
  return text === undefined ? undefined : findBase64(text);
}

function annotationsOf(item: RunPayload): Readonly<Record<string, string>> {
  if (!shortKeyPattern.test(item.shortKey)) {
    throw new AppError('ERR_STORAGE_KEY', `"${item.shortKey.slice(0, 80)}" is no key of a run or an image`, {
      kind: 'bug',
    });
  }
  const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64');
  return {
    [`chains.tekton.dev/payload-${item.shortKey}`]: base64(item.payload),
    [`chains.tekton.dev/signature-${item.shortKey}`]: base64(item.signature),
    [`chains.tekton.dev/cert-${item.shortKey}`]: base64(item.certificatePem ?? ''),
    [`chains.tekton.dev/chain-${item.shortKey}`]: base64(item.chainPem ?? ''),
  };
}

function isPayloadKey(key: string): boolean {
  return /^chains\.tekton\.dev\/(?:payload|signature|cert|chain)-/.test(key);
}

function sizeOf(entries: readonly (readonly [string, string])[]): number {
  return entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
}

function tooLarge(bytes: number, limit: number, what: string): AppError {
  return new AppError(
    'ERR_STORAGE_TOO_LARGE',
    `the run would carry ${bytes} bytes of ${what}, more than the ${limit} that it may`,
    {
      kind: 'permanent',
      remedy:
        'Give the run fewer results that name files, or publish them as an image, whose registry takes any size.',
    },
  );
}
