/** Who can mend a fault: time (`passing`), the author of the input (`permanent`), or us (`bug`). */
export type FaultKind = 'passing' | 'permanent' | 'bug';

/** What an {@link AppError} carries besides its message; everything in it is safe to log. */
export interface AppErrorOptions {
  readonly kind: FaultKind;
  /** The object at fault: `namespace/name`, `image@digest`, a file or an address. */
  readonly object?: string;
  /** What the reader can do about it, as one imperative sentence. */
  readonly remedy?: string;
  /** Server-given pause before the next try, in milliseconds. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

const brand = Symbol.for('chainwright.AppError');

/**
 * The one error class of the project. `code` is stable (`ERR_<AREA>_<WHAT>`) and listed in docs/errors.md; the
 * message says what happened to which object, without secrets, tokens or whole bodies.
 */
export class AppError extends Error {
  readonly code: string;
  readonly kind: FaultKind;
  readonly object: string | undefined;
  readonly remedy: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly [brand] = true;

  constructor(code: string, message: string, options: AppErrorOptions) {
    super(message, { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.kind = options.kind;
    this.object = options.object;
    this.remedy = options.remedy;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** True for an {@link AppError}, also one of another copy of this package. */
export function isAppError(value: unknown): value is AppError {
  return value instanceof Error && brand in value;
}

/** True where waiting may help: an AppError of kind `passing`. */
export function isPassing(value: unknown): boolean {
  return isAppError(value) && value.kind === 'passing';
}

/** The text of a thrown value for a message: its `message`, or its string form. */
export function messageOf(value: unknown): string {
  return value instanceof Error ? value.message : String(value);
}

const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ECONNABORTED',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_SOCKET',
  'UND_ERR_CLOSED',
  'UND_ERR_DESTROYED',
]);
const maxCauses = 8;

/** The code of the first network fault in `error`'s chain of causes (ECONNREFUSED and its like), if there is one. */
function findNetworkFault(error: unknown): string | undefined {
  let current: unknown = error;
  for (let depth = 0; depth < maxCauses && current instanceof Error; depth += 1) {
    const code = 'code' in current ? current.code : undefined;
    if (typeof code === 'string' && networkCodes.has(code)) return code;
    if (current.name === 'TimeoutError') return 'ETIMEDOUT';
    current = current instanceof AggregateError ? (current.errors[0] as unknown) : current.cause;
  }
  return undefined;
}

/**
 * Translates what an HTTP call threw into an AppError at the border of an adapter. An AppError passes through; the
 * caller's own abort is thrown on as it is; a network fault is `passing`; anything else is a `bug`.
 */
export function fromHttpFault(error: unknown, code: string, object: string): AppError {
  if (isAppError(error)) return error;
  const network = findNetworkFault(error);
  if (network !== undefined) {
    return new AppError(code, `${object} could not be reached: ${network}`, {
      kind: 'passing',
      object,
      remedy: 'Check the address, the network path and that the server runs; this is tried again.',
      cause: error,
    });
  }
  if (error instanceof Error && error.name === 'AbortError') {
    return new AppError('ERR_ABORTED', `the call to ${object} was cancelled`, {
      kind: 'passing',
      object,
      cause: error,
    });
  }
  return new AppError(code, `${object}: ${messageOf(error)}`, { kind: 'bug', object, cause: error });
}

/** Kind of an HTTP status that is no success: 408, 425, 429 and 5xx pass by themselves, other ones don't. */
export function faultKindOfStatus(status: number): FaultKind {
  return status >= 500 || status === 408 || status === 425 || status === 429 ? 'passing' : 'permanent';
}

/** Milliseconds of a `Retry-After` header (RFC 9110 section 10.2.3; seconds or a date), at most `maxMs`. */
export function parseRetryAfter(header: string | undefined, now: Date, maxMs = 600_000): number | undefined {
  if (header === undefined) return undefined;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now.getTime();
  return Number.isFinite(ms) && ms >= 0 ? Math.min(ms, maxMs) : undefined;
}
