import type { TrustFinding } from '../../signing/trust-finding.ts';

/** One finding as a line. */
export function formatFinding({ severity, check, where, message }: TrustFinding): string {
  return `${severity.toUpperCase()} ${check}${where === '' ? '' : ` ${where}`}: ${message}`;
}
