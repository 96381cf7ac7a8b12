import { AppError } from '../../model/errors.ts';

/** Why the public key of a KMS cannot be had: the address, what the service said, or what it gave. */
type KmsFaultCode = 'ERR_KMS_URI' | 'ERR_KMS_KEY' | 'ERR_KMS_REFUSED' | 'ERR_KMS_UNREACHABLE';

const remedies: Readonly<Record<KmsFaultCode, string>> = {
  ERR_KMS_URI: 'Write the address of the key as the provider wants it (docs/policy.md).',
  ERR_KMS_KEY: 'Name an asymmetric key for signing that exists and is enabled.',
  ERR_KMS_REFUSED: 'Give this process credentials that may read the public key; this is tried again.',
  ERR_KMS_UNREACHABLE: 'Check the address of the service and the network path; this is tried again.',
};

/** A fault about one key; what others can mend without a change of the policy is `passing`. */
export function kmsFault(code: KmsFaultCode, uri: string, why: string, cause?: unknown): AppError {
  const object = uri.slice(0, 512);
  return new AppError(code, `${object}: ${why}`, {
    kind: code === 'ERR_KMS_URI' || code === 'ERR_KMS_KEY' ? 'permanent' : 'passing',
    object,
    remedy: remedies[code],
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What an HTTP status of a KMS says about a key. */
export function kmsStatusFault(uri: string, status: number, cause?: unknown): AppError {
  const why = `the service answered with HTTP ${status}`;
  if (status === 400 || status === 404) return kmsFault('ERR_KMS_KEY', uri, why, cause);
  const code = status === 401 || status === 403 ? 'ERR_KMS_REFUSED' : 'ERR_KMS_UNREACHABLE';
  return kmsFault(code, uri, why, cause);
}
