import { messageOf } from '../model/errors.ts';
import { invalidLogMonitor } from '../settings/log-monitor-object.ts';
import type { LogMonitorSpec } from '../settings/log-monitor-schema.ts';
import { exactly, matching } from '../signing/certificate-identity.ts';
import type { TextMatch } from '../signing/certificate-identity.ts';
import { fingerprintOfKey } from './entry-verifier.ts';
import type { WatchedSigners } from './watched-signers.ts';

/** Whom a LogMonitor watches for. Throws ERR_MONITOR_OBJECT, ERR_IDENTITY_PATTERN. */
export function signersOfSpec({ identities = [], keys = [] }: LogMonitorSpec, name: string): WatchedSigners {
  return {
    identities: identities.map(({ subject, subjectRegExp, issuer, issuerRegExp }, at) => {
      const expected = matchOf(subject, subjectRegExp);
      if (expected === undefined) throw invalidLogMonitor(name, `spec.identities[${at}] names no subject`);
      return { subject: expected, issuer: matchOf(issuer, issuerRegExp) };
    }),
    fingerprints: new Set(keys.map(({ data }, at) => fingerprintOf(data, name, at))),
  };
}

function matchOf(exact: string | undefined, expression: string | undefined): TextMatch | undefined {
  if (exact !== undefined) return exactly(exact);
  return expression === undefined ? undefined : matching(expression);
}

function fingerprintOf(pem: string, name: string, at: number): string {
  try {
    return fingerprintOfKey(pem);
  } catch (error) {
    throw invalidLogMonitor(name, `spec.keys[${at}] is no public key in PEM: ${messageOf(error)}`, error);
  }
}
