import { InvalidArgumentError } from 'commander';
import { fingerprintOfKey } from '../../monitor/entry-verifier.ts';
import type { WatchedSigners } from '../../monitor/watched-signers.ts';
import { AppError } from '../../model/errors.ts';
import { durationMs, durationPattern } from '../../settings/duration.ts';
import type { SettingsInput } from '../../settings/settings-schema.ts';
import { exactly, matching } from '../../signing/certificate-identity.ts';
import { usageFault } from '../policy/usage-fault.ts';
import { readPublicKeyPem } from '../wiring/key-reference.ts';
import type { KeyReading } from '../wiring/key-reference.ts';

/** Flags of `chainwright monitor`. */
export interface MonitorFlags {
  readonly config?: string;
  readonly logUrl?: string;
  readonly logApiVersion: '1' | '2';
  readonly trustedRoot?: string;
  readonly identity: readonly string[];
  readonly identityRegexp: readonly string[];
  readonly issuer?: string;
  readonly key: readonly string[];
  readonly state?: string;
  readonly startIndex?: number;
  /** Milliseconds, as the other times. */
  readonly interval: number;
  readonly grace: number;
  readonly missingAfter: number;
  readonly unreachableAfter: number;
  readonly once?: boolean;
  readonly cluster: boolean;
  readonly namespace: string;
  readonly metricsAddress?: string;
  readonly logLevel?: string;
}

/** Milliseconds of a duration such as `30s`, for commander. */
export function parseDuration(text: string): number {
  if (!durationPattern.test(text)) throw new InvalidArgumentError('Write a duration such as 30s or 5m.');
  return durationMs(text);
}

/** An index of the log, for commander. */
export function parseIndex(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Write an index of the log, such as 0.');
  return Number(text);
}

/** The settings that the flags name. */
export function settingsOfFlags(flags: MonitorFlags): SettingsInput {
  const { logUrl, trustedRoot, metricsAddress, logLevel } = flags;
  const telemetry = {
    ...(metricsAddress === undefined ? {} : { metricsAddress }),
    ...(logLevel === undefined ? {} : { logLevel: logLevel as 'info' }),
  };
  return {
    ...(logUrl === undefined ? {} : { log: { url: logUrl } }),
    ...(trustedRoot === undefined ? {} : { trustedRoot: { file: trustedRoot } }),
    ...(Object.keys(telemetry).length === 0 ? {} : { telemetry }),
  };
}

/** True if flags say what to follow; without them that is what the LogMonitors of the cluster describe. */
export function describesMonitor(flags: MonitorFlags): boolean {
  const { logUrl, identity, identityRegexp, key, state, startIndex, once, cluster } = flags;
  const named = identity.length + identityRegexp.length + key.length;
  const single = [logUrl, state, startIndex].some((flag) => flag !== undefined);
  return named > 0 || single || once === true || !cluster;
}

/** Whom to watch for. Throws ERR_USAGE_FLAGS, ERR_USAGE_KEY, ERR_USAGE_FILE, ERR_IDENTITY_PATTERN. */
export async function watchedSignersOf(flags: MonitorFlags, options: KeyReading): Promise<WatchedSigners> {
  const { identity, identityRegexp, issuer, key } = flags;
  // An empty text is in every certificate, or in none; nobody means that.
  const named = [...identity, ...identityRegexp, ...key];
  if (named.length === 0 || named.includes('')) {
    throw usageFault('nothing tells whom to watch for', 'Give --identity, --identity-regexp or --key.');
  }
  const fingerprints = await Promise.all(key.map((reference) => readFingerprint(reference, options)));
  return {
    identities: [...identity.map(exactly), ...identityRegexp.map(matching)].map((subject) => ({
      subject,
      issuer: issuer === undefined ? undefined : exactly(issuer),
    })),
    fingerprints: new Set(fingerprints),
  };
}

async function readFingerprint(reference: string, options: KeyReading): Promise<string> {
  const pem = await readPublicKeyPem(reference, options);
  try {
    return fingerprintOfKey(pem);
  } catch (cause) {
    throw new AppError('ERR_USAGE_KEY', `${reference} is no public key`, {
      kind: 'permanent',
      object: reference,
      remedy: 'Give the public key in PEM, as cosign.pub has it.',
      cause,
    });
  }
}
