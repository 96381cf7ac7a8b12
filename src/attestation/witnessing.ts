import { X509Certificate } from 'node:crypto';
import { AppError, isPassing, messageOf } from '../model/errors.ts';
import type { VerificationMaterial } from '../model/signature.ts';
import { publicKeyOf } from '../signing/public-key-of.ts';
import { verifyTimestamp } from '../signing/timestamp-verification.ts';
import type { TrustRoot } from '../signing/trust-root.ts';
import type { PlannedArtifact } from './planned-artifact.ts';
import { withoutTags } from './planned-artifact.ts';
import type { TimestampAuthority } from '../transparency/timestamp-client.ts';
import type { LoggedEntry, LogProposal, TransparencyLog } from '../transparency/transparency-log.ts';

/** Who is to vouch for each signature: all of these. */
export interface Witnesses {
  readonly logs: readonly TransparencyLog[];
  readonly timestampAuthorities: readonly TimestampAuthority[];
  /** What timestamps are checked against. */
  readonly trustRoot: TrustRoot | undefined;
}

/** Gives the witnesses that count now; they change with the settings, a signing configuration and time. */
export interface WitnessSource {
  /** Errors: ERR_SIGNING_CONFIG_SERVICE (passing), ERR_SETTINGS_LOG. */
  current(options: { readonly signal: AbortSignal }): Promise<Witnesses>;
}

/** Who has vouched for a signature so far; everything in it was verified. */
export interface Testimony {
  /** At most one of each log, in the order in which they are asked for. */
  readonly entries: readonly LoggedEntry[];
  readonly timestamps: readonly { readonly authority: string; readonly der: Uint8Array }[];
}

/** What witnesses are told of. */
export interface WitnessedSignature {
  readonly signature: Uint8Array;
  readonly material: VerificationMaterial;
  readonly proposal: LogProposal;
}

/** How witnesses are asked. */
export interface WitnessingOptions {
  readonly signal: AbortSignal;
  /** Told what there is whenever there is more, so that a fault loses nothing. */
  readonly onProgress: (testimony: Testimony) => void;
}

/** What can be stored of a plan: cosign's tags take entries only of logs that tell time. */
export function fitToLogs(
  artifacts: readonly PlannedArtifact[],
  { logs }: Witnesses,
): readonly PlannedArtifact[] {
  const isTagless = logs.length > 0 && logs.every(({ tellsTime }) => !tellsTime);
  return isTagless ? withoutTags(artifacts) : artifacts;
}

/** Of a signature that nobody vouched for yet. */
export const noTestimony: Testimony = { entries: [], timestamps: [] };

/** True if a signature with this testimony can still be made to verify; a log that tells time comes too late once the certificate has expired. */
export function isWorthWitnessing(
  { entries, timestamps }: Testimony,
  { logs, timestampAuthorities }: Witnesses,
  { notAfter, now }: { readonly notAfter: Date | undefined; readonly now: Date },
): boolean {
  if (notAfter === undefined || notAfter > now) return true;
  const isStamped = timestampAuthorities.every(({ url }) => hasStamp(timestamps, url));
  return isStamped && logs.every((log) => !log.tellsTime || hasEntry(entries, log));
}

/**
 * Has signatures stamped and logged, each witness once. Timestamps come first, since a log entry without one may be worth
 * nothing. A log that failed last is asked before the others, so that while it is away they get no entries that could
 * never be used.
 */
export class Witnessing {
  readonly #troubled = new Set<string>();

  /**
   * What `earlier` lacks is added. Errors: what logs and authorities throw, ERR_TIMESTAMP_UNTRUSTED, ERR_TIMESTAMP_TIME.
   */
  async complete(
    signed: WitnessedSignature,
    earlier: Testimony,
    witnesses: Witnesses,
    options: WitnessingOptions,
  ): Promise<Testimony> {
    const stamped = await stampAll(signed, earlier, witnesses, options);
    const order = witnesses.logs.map(({ url }) => url);
    let testimony = stamped;
    const append = async (log: TransparencyLog): Promise<void> => {
      const entry = await this.#append(log, signed.proposal, options.signal);
      const entries = [...testimony.entries, entry];
      testimony = { ...testimony, entries: sortedBy(order, entries) };
      options.onProgress(testimony);
    };
    const missing = witnesses.logs.filter((log) => !hasEntry(earlier.entries, log));
    const doubtful = missing.filter(({ url }) => this.#troubled.has(url));
    for (const log of doubtful) await append(log);
    const others = missing.filter((log) => !doubtful.includes(log));
    const outcomes = await Promise.allSettled(others.map(append));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    return testimony;
  }

  async #append(log: TransparencyLog, proposal: LogProposal, signal: AbortSignal): Promise<LoggedEntry> {
    try {
      const entry = await log.append(proposal, { signal });
      this.#troubled.delete(log.url);
      return entry;
    } catch (error) {
      if (isPassing(error)) this.#troubled.add(log.url);
      throw error;
    }
  }
}

async function stampAll(
  { signature, material }: WitnessedSignature,
  earlier: Testimony,
  { timestampAuthorities, trustRoot }: Witnesses,
  { signal, onProgress }: WitnessingOptions,
): Promise<Testimony> {
  const missing = timestampAuthorities.filter(({ url }) => !hasStamp(earlier.timestamps, url));
  if (missing.length === 0) return earlier;
  const added = await Promise.all(
    missing.map(async (authority) => {
      const der = await authority.stamp(signature, { signal });
      requireGoodStamp(der, { signature, material, authority: authority.url, trustRoot });
      return { authority: authority.url, der };
    }),
  );
  const testimony = { ...earlier, timestamps: [...earlier.timestamps, ...added] };
  onProgress(testimony);
  return testimony;
}

function requireGoodStamp(
  der: Uint8Array,
  about: {
    readonly signature: Uint8Array;
    readonly material: VerificationMaterial;
    readonly authority: string;
    readonly trustRoot: TrustRoot | undefined;
  },
): void {
  const { signature, material, authority, trustRoot } = about;
  const at = stampedAt(der, { signature, publicKey: publicKeyOf(material) }, authority, trustRoot);
  if (material.kind === 'public-key') return;
  const { validFromDate, validToDate } = new X509Certificate(material.chainDer[0]);
  if (at >= validFromDate && at <= validToDate) return;
  throw new AppError(
    'ERR_TIMESTAMP_TIME',
    `the timestamp ${at.toISOString()} of ${authority} lies outside of the certificate's life`,
    {
      kind: 'passing',
      object: authority,
      remedy: 'Set the clocks of the timestamp authority and of Fulcio; the signature is made anew.',
    },
  );
}

function stampedAt(
  der: Uint8Array,
  signed: Parameters<typeof verifyTimestamp>[1],
  authority: string,
  trustRoot: TrustRoot | undefined,
): Date {
  try {
    if (trustRoot === undefined) throw new Error('there is no trust root');
    return verifyTimestamp(der, signed, trustRoot);
  } catch (error) {
    throw new AppError(
      'ERR_TIMESTAMP_UNTRUSTED',
      `the timestamp of ${authority} does not verify: ${messageOf(error)}`,
      {
        kind: 'passing',
        object: authority,
        remedy: "Add the authority's certificate chain to the trust root, or correct its address.",
        cause: error,
      },
    );
  }
}

function hasEntry(entries: readonly LoggedEntry[], { url }: TransparencyLog): boolean {
  return entries.some(({ recorded }) => recorded.log === url);
}

function hasStamp(timestamps: Testimony['timestamps'], url: string): boolean {
  return timestamps.some(({ authority }) => authority === url);
}

/** Entries of logs that are asked for no more come last. */
function sortedBy(order: readonly string[], entries: readonly LoggedEntry[]): readonly LoggedEntry[] {
  const placeOf = ({ recorded }: LoggedEntry): number => order.indexOf(recorded.log) + 1 || Infinity;
  return entries.toSorted((a, b) => placeOf(a) - placeOf(b) || 0);
}
