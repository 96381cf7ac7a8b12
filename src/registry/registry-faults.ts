import { AppError, fromHttpFault, faultKindOfStatus, isAppError, parseRetryAfter } from '../model/errors.ts';
import type { Digest } from '../model/digest.ts';

/** What a registry answered, as far as a fault needs it. */
export interface FailedAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** The start of the body. */
  readonly body: Uint8Array;
}

const tlsCodes =
  /^(?:ERR_TLS_|ERR_SSL_|EPROTO$|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_CA|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH)/;
const answerCodes = /^(?:HPE_|UND_ERR_RES_|UND_ERR_RESPONSE)/;
const maxCauses = 8;

/** Translates what undici threw: ERR_REGISTRY_TLS, ERR_REGISTRY_ANSWER or ERR_REGISTRY_UNREACHABLE, all passing. */
export function fromRegistryFault(error: unknown, object: string): AppError {
  const code = findCode(error);
  if (code !== undefined && tlsCodes.test(code)) {
    return new AppError('ERR_REGISTRY_TLS', `no trusted TLS connection to ${object}: ${code}`, {
      kind: 'passing',
      object,
      remedy: 'Give the registry’s certificate authority in the settings, or renew its certificate.',
      cause: error,
    });
  }
  if (code !== undefined && answerCodes.test(code)) return brokenAnswer(object, code, error);
  return fromHttpFault(error, 'ERR_REGISTRY_UNREACHABLE', object);
}

function findCode(error: unknown): string | undefined {
  let current: unknown = error;
  for (let depth = 0; depth < maxCauses && current instanceof Error; depth += 1) {
    const code = 'code' in current ? current.code : undefined;
    if (typeof code === 'string' && (tlsCodes.test(code) || answerCodes.test(code))) return code;
    current = current instanceof AggregateError ? (current.errors[0] as unknown) : current.cause;
  }
  return undefined;
}

/** ERR_REGISTRY_ANSWER: the server's answer breaks the distribution specification. Passing: a proxy may be ill. */
export function brokenAnswer(object: string, why: string, cause?: unknown): AppError {
  return new AppError('ERR_REGISTRY_ANSWER', `the registry gave a broken answer for ${object}: ${why}`, {
    kind: 'passing',
    object,
    remedy: 'Check that the address is an OCI registry and that no proxy alters its answers.',
    cause,
  });
}

/** ERR_REGISTRY_DIGEST_MISMATCH: bytes that are not what their digest says. Passing: a mirror or cache may be ill. */
export function digestMismatch(object: string, expected: Digest, why = 'other bytes came'): AppError {
  return new AppError('ERR_REGISTRY_DIGEST_MISMATCH', `${object} is not ${expected}: ${why}`, {
    kind: 'passing',
    object,
    remedy: 'Check the registry’s storage and any mirror or proxy before it.',
  });
}

/** ERR_REGISTRY_TOO_LARGE: more than we read of such an object. */
export function tooLarge(object: string, max: number, unit = 'bytes'): AppError {
  return new AppError('ERR_REGISTRY_TOO_LARGE', `${object} has more than ${max} ${unit}`, {
    kind: 'permanent',
    object,
    remedy: 'Remove the oversized manifest or blob, or attach a smaller one.',
  });
}

/** ERR_REGISTRY_BLOB_ABSENT: a manifest names a blob that the store does not hold. */
export function blobAbsent(object: string): AppError {
  return new AppError('ERR_REGISTRY_BLOB_ABSENT', `the registry does not hold the blob ${object}`, {
    kind: 'passing',
    object,
    remedy: 'Push the image again, or wait until replication has finished.',
  });
}

/** ERR_REGISTRY_DENIED: no credentials, or none that suffice. Passing: somebody may mend the Secret or the rights. */
export function accessDenied(object: string, access: 'pull' | 'push', detail: string): AppError {
  return new AppError('ERR_REGISTRY_DENIED', `the registry denied ${access} access to ${object}${detail}`, {
    kind: 'passing',
    object,
    remedy: `Give credentials with ${access} rights: an imagePullSecret of the ServiceAccount, a docker config or a robot account.`,
  });
}

/** The fault that a status other than the expected ones stands for. */
export function fromAnswer(answer: FailedAnswer, object: string, now: Date): AppError {
  const { status } = answer;
  const detail = describeErrors(answer.body);
  const retryAfterMs = parseRetryAfter(answer.retryAfter, now);
  if (status === 429) {
    return new AppError('ERR_REGISTRY_THROTTLED', `the registry throttles requests for ${object}`, {
      kind: 'passing',
      object,
      remedy: 'Raise the registry’s rate limit or log in; this is tried again.',
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }
  if (status === 404) {
    return new AppError('ERR_REGISTRY_ABSENT', `the registry does not know ${object}${detail}`, {
      kind: 'passing',
      object,
      remedy: 'Create the repository or project, or correct its name.',
    });
  }
  if (status < 400) return brokenAnswer(object, `status ${status}`);
  if (faultKindOfStatus(status) === 'passing') {
    return new AppError('ERR_REGISTRY_SERVER', `the registry failed on ${object}: ${status}${detail}`, {
      kind: 'passing',
      object,
      remedy: 'Look at the registry’s own log; this is tried again.',
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }
  return new AppError('ERR_REGISTRY_REFUSED', `the registry refused ${object}: ${status}${detail}`, {
    kind: 'permanent',
    object,
    remedy: 'Read the registry’s reason: a quota, an immutable tag or a size limit.',
  });
}

/** `: CODE message` of the first error of a registry's error body (distribution-spec, "Error Codes"), cut and cleaned. */
export function describeErrors(body: Uint8Array): string {
  const first = firstError(body);
  if (first === undefined) return '';
  const code = typeof first.code === 'string' && /^\w{1,64}$/.test(first.code) ? first.code : 'UNKNOWN';
  const message = typeof first.message === 'string' ? first.message : '';
  return `: ${code} ${message.replaceAll(/[^\x20-\x7e]/g, ' ').slice(0, 200)}`.trimEnd();
}

function firstError(body: Uint8Array): { code?: unknown; message?: unknown } | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
    if (typeof parsed !== 'object' || parsed === null || !('errors' in parsed)) return undefined;
    const first: unknown = Array.isArray(parsed.errors) ? parsed.errors[0] : undefined;
    return typeof first === 'object' && first !== null ? first : undefined;
  } catch {
    // The body of a failure is free text with many proxies.
    return undefined;
  }
}

const unreadable = new Set([
  'ERR_REGISTRY_BLOB_ABSENT',
  'ERR_REGISTRY_DIGEST_MISMATCH',
  'ERR_REGISTRY_TOO_LARGE',
  'ERR_REGISTRY_MANIFEST',
]);

/** True for the fault of content that cannot be read: planted or broken, it must not keep ours away. */
export function isUnreadableContent(error: unknown): boolean {
  return isAppError(error) && unreadable.has(error.code);
}
