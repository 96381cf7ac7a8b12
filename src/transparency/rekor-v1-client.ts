import { X509Certificate } from 'node:crypto';
import type { TransparencyLogEntry } from '@sigstore/protobuf-specs';
import { z } from 'zod';
import { AppError } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import { verifyInclusion, verifyPromise } from './entry-verification.ts';
import { badAnswer, callLog, refusal } from './log-http.ts';
import type { LogAnswer, LogHttpOptions } from './log-http.ts';
import { parseLogKey } from './log-key.ts';
import type { LogKey } from './log-key.ts';
import { hashLeaf } from './merkle-proof.ts';
import { encodeProposal, parseEntryAnswer, requireOwnEntry } from './rekor-v1-entry.ts';
import { searchRekorV1 } from './rekor-v1-search.ts';
import type { LogProposal, LoggedEntry, TransparencyLog } from './transparency-log.ts';

/** What a {@link RekorV1Client} needs. */
export interface RekorV1Options extends LogHttpOptions {
  /**
   * Keys that the log may sign with, from the trust root. Where none are known, the key that the log itself gives is
   * pinned at first use, with a warning.
   */
  readonly keys: readonly LogKey[];
  readonly log: Log;
}

/** How an entry is named: by its index over all shards, or by its UUID (64 or 80 hex digits). */
export type EntryName = { readonly logIndex: number } | { readonly uuid: string };

/** What entries are searched by. */
export type EntrySearch =
  /** A digest with its algorithm, `sha256:<hex>`: of a payload, an envelope, or a subject of a logged statement. */
  | { readonly hash: string }
  /** An alternative name of the certificate, e-mail address or URI. */
  | { readonly identity: string }
  | { readonly publicKeyPem: string };

const uuidPattern = /^(?:[0-9a-f]{16})?[0-9a-f]{64}$/;
const uuidAnywhere = /\b(?:[0-9a-f]{80}|[0-9a-f]{64})\b/;
const emailAddress = /^[^@\s:/]+@[^@\s:/]+$/;
const maxFound = 1_000_000;
const foundShape = z.array(z.string().regex(uuidPattern)).max(maxFound);
const call = { entries: 'api/v1/log/entries', key: 'api/v1/log/publicKey', search: 'api/v1/index/retrieve' };

/** Rekor v1: entries of kind `dsse` and `hashedrekord`, version 0.0.1, each answer verified before it is believed. */
export class RekorV1Client implements TransparencyLog {
  readonly url: string;
  /** Of `dsse` entries; `hashedrekord` wants the hash that fits the curve. */
  readonly envelopeHash = 'sha256';
  readonly tellsTime = true;
  readonly #options: RekorV1Options;
  #pinned: LogKey | undefined;

  constructor(options: RekorV1Options) {
    this.#options = options;
    this.url = options.url;
  }

  /** Logs a signature; see {@link TransparencyLog.append}. */
  async append(proposal: LogProposal, options: { readonly signal: AbortSignal }): Promise<LoggedEntry> {
    const { signal } = options;
    const answer = await callLog(this.#options, {
      method: 'POST',
      path: call.entries,
      body: encodeProposal(proposal),
      signal,
    });
    const logged =
      answer.status === 409
        ? await this.getEntry({ uuid: uuidOfConflict(answer) }, { signal })
        : await this.#accept(answer, signal);
    requireOwnEntry(logged.entry, proposal, answer.address);
    requireTimeOfCertificate(logged, proposal, answer.address);
    return logged;
  }

  /** The entry of that name, verified. Errors: as `append`, and ERR_LOG_ENTRY_NOT_FOUND. */
  async getEntry(name: EntryName, { signal }: { readonly signal: AbortSignal }): Promise<LoggedEntry> {
    const path =
      'uuid' in name ? `${call.entries}/${name.uuid}` : `${call.entries}?logIndex=${name.logIndex}`;
    const answer = await callLog(this.#options, { method: 'GET', path, signal });
    if (answer.status === 404) {
      throw new AppError('ERR_LOG_ENTRY_NOT_FOUND', `${answer.address}: the log has no such entry`, {
        kind: 'permanent',
        object: answer.address,
        remedy: 'Check the index or UUID, and that the entry was made in this log.',
      });
    }
    const logged = await this.#accept(answer, signal);
    const isAsked =
      'uuid' in name
        ? logged.uuid?.slice(-64) === name.uuid.slice(-64)
        : logged.recorded.logIndex === name.logIndex;
    if (!isAsked) throw badAnswer(answer.address, 'it is another entry than the one asked for');
    return logged;
  }

  /**
   * The entry that the log has for what was proposed, verified; undefined if it has none. The log's tree is asked, not its
   * index, which lags behind. Errors: as `append`.
   */
  async find(
    proposal: LogProposal,
    options: { readonly signal: AbortSignal },
  ): Promise<LoggedEntry | undefined> {
    const [found] = await searchRekorV1(this.#options, proposal, options);
    if (found === undefined) return undefined;
    const logged = await this.getEntry({ logIndex: Number(found.logIndex) }, options);
    requireOwnEntry(logged.entry, proposal, this.url);
    return logged;
  }

  /**
   * UUIDs of entries that the log's index has under a digest, identity or key, at most a million. The index is not
   * proven: what it leaves out is not noticed, what it names must be read with `getEntry`.
   * Errors: ERR_LOG_UNREACHABLE, ERR_LOG_UNAVAILABLE, ERR_LOG_REFUSED, ERR_LOG_ANSWER.
   */
  async search(by: EntrySearch, { signal }: { readonly signal: AbortSignal }): Promise<readonly string[]> {
    const answer = await callLog(this.#options, {
      method: 'POST',
      path: call.search,
      body: JSON.stringify(encodeSearch(by)),
      signal,
    });
    if (answer.status !== 200) throw refusal(answer, this.#options.clock);
    try {
      return foundShape.parse(JSON.parse(answer.body.toString('utf8')));
    } catch (error) {
      throw badAnswer(answer.address, 'it is no list of UUIDs', error);
    }
  }

  async #accept(answer: LogAnswer, signal: AbortSignal): Promise<LoggedEntry> {
    if (answer.status !== 200 && answer.status !== 201) throw refusal(answer, this.#options.clock);
    const { uuid, entry } = parseEntryAnswer(answer.body, answer.address);
    const logId = entry.logId?.keyId.toString('hex') ?? '';
    const key = await this.#keyOf(logId, signal);
    verifyPromise(entry, key);
    verifyInclusion(entry, key);
    if (hashLeaf(entry.canonicalizedBody).toString('hex') !== uuid.slice(-64)) {
      throw badAnswer(answer.address, 'its UUID is not that of its body');
    }
    return { entry, uuid, recorded: toRecorded(entry, { log: this.url, logId }) };
  }

  async #keyOf(logId: string, signal: AbortSignal): Promise<LogKey> {
    const { keys } = this.#options;
    const known = keys.length > 0 ? keys : [await this.#pinnedKey(signal)];
    const key = known.find((candidate) => candidate.logId === logId);
    if (key !== undefined) return key;
    throw new AppError('ERR_LOG_UNTRUSTED', `the log ${this.url} signs with the unknown key ${logId}`, {
      kind: 'passing',
      object: this.url,
      remedy: "Add the log's key to the trust root, or check the address of the log.",
    });
  }

  async #pinnedKey(signal: AbortSignal): Promise<LogKey> {
    if (this.#pinned !== undefined) return this.#pinned;
    const key = await this.#fetchKey(signal);
    return this.#pin(key);
  }

  /** Calls at the same time may each fetch a key; whichever comes first counts. */
  #pin(key: LogKey): LogKey {
    if (this.#pinned !== undefined) return this.#pinned;
    const fields = { log: this.url, logId: key.logId };
    this.#options.log.warn('no key of the transparency log is configured; the one it gave is pinned', fields);
    this.#pinned = key;
    return key;
  }

  async #fetchKey(signal: AbortSignal): Promise<LogKey> {
    const answer = await callLog(this.#options, {
      method: 'GET',
      path: call.key,
      accept: 'application/x-pem-file',
      signal,
    });
    if (answer.status !== 200) throw refusal(answer, this.#options.clock);
    try {
      return parseLogKey(answer.body.toString('utf8'));
    } catch (error) {
      throw badAnswer(answer.address, 'it is no public key', error);
    }
  }
}

function uuidOfConflict(answer: LogAnswer): string {
  const named = answer.location?.split('/').at(-1) ?? '';
  const uuid = uuidPattern.test(named)
    ? named
    : uuidAnywhere.exec(answer.body.toString('utf8', 0, 4096))?.[0];
  if (uuid === undefined) throw badAnswer(answer.address, 'it names no entry for the conflict');
  return uuid;
}

function encodeSearch(by: EntrySearch): object {
  if ('hash' in by) return { hash: by.hash };
  // Rekor's API takes in `email` what is one, and any other name in `subject`.
  if ('identity' in by)
    return emailAddress.test(by.identity) ? { email: by.identity } : { subject: by.identity };
  return { publicKey: { format: 'x509', content: Buffer.from(by.publicKeyPem).toString('base64') } };
}

function toRecorded(
  entry: TransparencyLogEntry,
  { log, logId }: { readonly log: string; readonly logId: string },
): LoggedEntry['recorded'] {
  return { log, logId, logIndex: Number(entry.logIndex), integratedTime: Number(entry.integratedTime) };
}

/** An entry outside of its certificate's life proves nothing to a verifier; better to notice now than at admission. */
function requireTimeOfCertificate(
  { recorded }: LoggedEntry,
  { verifierPem }: LogProposal,
  object: string,
): void {
  if (!verifierPem.includes('BEGIN CERTIFICATE')) return;
  const { validFromDate, validToDate } = new X509Certificate(verifierPem);
  const time = recorded.integratedTime * 1000;
  if (time >= validFromDate.getTime() && time <= validToDate.getTime()) return;
  throw new AppError(
    'ERR_LOG_ENTRY_TIME',
    `the log's time ${new Date(time).toISOString()} lies outside of the certificate's life`,
    {
      kind: 'passing',
      object,
      remedy: 'Set the clocks of the log and of Fulcio; the signature is made anew with a new certificate.',
    },
  );
}
