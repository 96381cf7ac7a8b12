import { TransparencyLogEntry } from '@sigstore/protobuf-specs';
import { z } from 'zod';
import { AppError } from '../model/errors.ts';
import { verifyInclusion } from './entry-verification.ts';
import { badAnswer, callLog, refusal } from './log-http.ts';
import type { LogAnswer, LogHttpOptions } from './log-http.ts';
import type { LogKey } from './log-key.ts';
import { encodeHashEntry, requireSameEntry, toHashEntry } from './rekor-v2-entry.ts';
import type { LogProposal, LoggedEntry, TransparencyLog } from './transparency-log.ts';

/** What a {@link RekorV2Client} needs; there is no place to ask a v2 log for its key, so keys must be known. */
export interface RekorV2Options extends LogHttpOptions {
  readonly keys: readonly LogKey[];
}

const base64 = z.base64().min(1);
const decimal = z.string().regex(/^\d{1,18}$/);
const answerShape = z.object({
  logIndex: decimal.optional(),
  logId: z.object({ keyId: base64 }),
  kindVersion: z.object({ kind: z.string(), version: z.string() }),
  inclusionProof: z.object({
    logIndex: decimal.optional(),
    rootHash: base64,
    treeSize: decimal,
    hashes: z.array(base64).max(64).optional(),
    checkpoint: z.object({ envelope: z.string() }),
  }),
  canonicalizedBody: base64,
});

/**
 * Rekor v2 (rekor-tiles): entries of kind `hashedrekord`, version 0.0.2, also for envelopes. The log vouches for
 * inclusion by a checkpoint and gives no time: a certificate needs an RFC 3161 timestamp beside the entry.
 */
export class RekorV2Client implements TransparencyLog {
  readonly url: string;
  readonly tellsTime = false;
  readonly #options: RekorV2Options;

  constructor(options: RekorV2Options) {
    this.#options = options;
    this.url = options.url;
  }

  /** Logs a signature; see {@link TransparencyLog.append}. The recorded time is 0. */
  async append(proposal: LogProposal, { signal }: { readonly signal: AbortSignal }): Promise<LoggedEntry> {
    const proposed = toHashEntry(proposal);
    const answer = await callLog(this.#options, {
      method: 'POST',
      path: 'api/v2/log/entries',
      body: encodeHashEntry(proposed),
      signal,
    });
    if (answer.status !== 200 && answer.status !== 201) throw refusal(answer, this.#options.clock);
    const entry = parseAnswer(answer);
    const logId = entry.logId?.keyId.toString('hex') ?? '';
    verifyInclusion(entry, this.#keyOf(logId));
    requireSameEntry(entry.canonicalizedBody, proposed, answer.address);
    return {
      entry,
      recorded: { log: this.url, logId, logIndex: Number(entry.logIndex), integratedTime: 0 },
    };
  }

  #keyOf(logId: string): LogKey {
    const key = this.#options.keys.find((candidate) => candidate.logId === logId);
    if (key !== undefined) return key;
    throw new AppError('ERR_LOG_UNTRUSTED', `the log ${this.url} signs with the unknown key ${logId}`, {
      kind: 'passing',
      object: this.url,
      remedy: "Add the log's key to the trust root, or check the address of the log.",
    });
  }
}

function parseAnswer(answer: LogAnswer): TransparencyLogEntry {
  try {
    const json: unknown = JSON.parse(answer.body.toString('utf8'));
    answerShape.parse(json);
    const entry = TransparencyLogEntry.fromJSON(json);
    // JSON leaves out members that are zero, as the first entry's index.
    if (entry.inclusionProof?.logIndex !== entry.logIndex) throw new Error('its two indices differ');
    return entry;
  } catch (error) {
    throw badAnswer(answer.address, 'it is no log entry with proof', error);
  }
}
