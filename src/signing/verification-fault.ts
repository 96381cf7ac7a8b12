import { VerificationError } from '@sigstore/verify';
import { AppError, isAppError, messageOf } from '../model/errors.ts';

/** The codes of a failed verification, each naming the check that failed. */
export type VerificationCode =
  | 'ERR_VERIFY_MALFORMED'
  | 'ERR_VERIFY_SIGNATURE'
  | 'ERR_VERIFY_PAYLOAD_DIGEST'
  | 'ERR_VERIFY_CHAIN'
  | 'ERR_VERIFY_EXPIRED'
  | 'ERR_VERIFY_SCT'
  | 'ERR_VERIFY_KEY'
  | 'ERR_VERIFY_IDENTITY'
  | 'ERR_VERIFY_LOG_MISSING'
  | 'ERR_VERIFY_LOG_ENTRY'
  | 'ERR_VERIFY_SET'
  | 'ERR_VERIFY_INCLUSION_PROOF'
  | 'ERR_VERIFY_CHECKPOINT'
  | 'ERR_VERIFY_TIMESTAMP';

const remedies: Readonly<Record<VerificationCode, string>> = {
  ERR_VERIFY_MALFORMED:
    'Attach the evidence again with a tool that writes the format; this one cannot be read.',
  ERR_VERIFY_SIGNATURE:
    'The content was changed after it was signed, or it was signed by another key: sign it anew.',
  ERR_VERIFY_PAYLOAD_DIGEST: 'The content is not what was signed: fetch it again or sign it anew.',
  ERR_VERIFY_CHAIN: 'Check that the trust root holds the certificate authority that issued the certificate.',
  ERR_VERIFY_EXPIRED: 'Sign it anew, and check the clocks of signer and log.',
  ERR_VERIFY_SCT: 'Check that the trust root holds the certificate transparency log of the authority.',
  ERR_VERIFY_KEY: 'Check that the evidence was made with the key that is expected.',
  ERR_VERIFY_IDENTITY: 'Check who signed; or correct the expected identity and issuer.',
  ERR_VERIFY_LOG_MISSING: 'Sign it with an entry in the transparency log.',
  ERR_VERIFY_LOG_ENTRY: 'The log entry belongs to something else: sign it anew.',
  ERR_VERIFY_SET: 'Check that the trust root holds the key of the log that was used.',
  ERR_VERIFY_INCLUSION_PROOF:
    'Fetch the entry from the log again; if it fails again, the log or the evidence is forged.',
  ERR_VERIFY_CHECKPOINT: 'Check that the trust root holds the key and the address of the log that was used.',
  ERR_VERIFY_TIMESTAMP: 'Check that the trust root holds the timestamp authority that was used.',
};

/** An error about one failed check; `permanent`, since the same evidence fails the same way again. */
export function verificationFault(code: VerificationCode, message: string, cause?: unknown): AppError {
  return new AppError(code, message, {
    kind: 'permanent',
    remedy: remedies[code],
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Runs `check` and translates what it throws: an AppError passes, @sigstore/verify's own get our codes, others are ERR_VERIFY_MALFORMED. */
export function translateFaults<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (isAppError(error)) throw error;
    if (!(error instanceof VerificationError)) {
      // The library reads attacker-made structures without checking each; what it stumbles over is malformed.
      throw verificationFault(
        'ERR_VERIFY_MALFORMED',
        `the evidence is malformed: ${messageOf(error)}`,
        error,
      );
    }
    throw verificationFault(codeOf(error), textOf(error), error);
  }
}

const codes: Readonly<Record<string, VerificationCode>> = {
  PUBLIC_KEY_ERROR: 'ERR_VERIFY_KEY',
  SIGNATURE_ERROR: 'ERR_VERIFY_SIGNATURE',
  TIMESTAMP_ERROR: 'ERR_VERIFY_TIMESTAMP',
  TLOG_INCLUSION_PROMISE_ERROR: 'ERR_VERIFY_SET',
  TLOG_MISSING_INCLUSION_ERROR: 'ERR_VERIFY_LOG_MISSING',
  TLOG_BODY_ERROR: 'ERR_VERIFY_LOG_ENTRY',
  TLOG_ERROR: 'ERR_VERIFY_LOG_ENTRY',
};

function codeOf(error: VerificationError): VerificationCode {
  if (error.code === 'CERTIFICATE_ERROR') {
    if (error.message.includes('SCT')) return 'ERR_VERIFY_SCT';
    return textOf(error).includes('expired') ? 'ERR_VERIFY_EXPIRED' : 'ERR_VERIFY_CHAIN';
  }
  if (error.code === 'TLOG_INCLUSION_PROOF_ERROR') {
    return error.message.includes('checkpoint') ? 'ERR_VERIFY_CHECKPOINT' : 'ERR_VERIFY_INCLUSION_PROOF';
  }
  return codes[error.code] ?? 'ERR_VERIFY_MALFORMED';
}

function textOf(error: VerificationError): string {
  const cause: unknown = error.cause;
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
}
