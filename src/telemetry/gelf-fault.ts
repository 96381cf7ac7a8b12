import { AppError, messageOf } from '../model/errors.ts';
import { formatGelfTarget } from './gelf-carrier.ts';
import type { GelfTarget } from './gelf-carrier.ts';

/** The GELF input cannot be reached, or broke off. */
export function unreachable(target: GelfTarget, cause: unknown): AppError {
  const address = formatGelfTarget(target);
  return new AppError('ERR_GELF_UNREACHABLE', `cannot send log lines to ${address}: ${messageOf(cause)}`, {
    kind: 'passing',
    object: address,
    remedy: 'Check that the GELF input runs and that a NetworkPolicy lets us reach it; see telemetry.gelf.',
    cause,
  });
}

/** The GELF input shows a certificate that is not trusted. */
export function untrusted(target: GelfTarget, cause: unknown): AppError {
  const address = formatGelfTarget(target);
  return new AppError('ERR_GELF_CERTIFICATE', `${address} is not trusted: ${messageOf(cause)}`, {
    kind: 'permanent',
    object: address,
    remedy:
      'Name the file with the authority of its certificate in telemetry.gelf.caFile, and the host as there.',
    cause,
  });
}

/** The file with authorities cannot be read. */
export function unreadable(file: string, cause: unknown): AppError {
  return new AppError('ERR_GELF_CA_FILE', `cannot read ${file}: ${messageOf(cause)}`, {
    kind: 'permanent',
    object: file,
    remedy: 'Name a readable PEM file in telemetry.gelf.caFile.',
    cause,
  });
}
