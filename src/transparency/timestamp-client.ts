import { hash, randomBytes } from 'node:crypto';
import { RFC3161Timestamp } from '@sigstore/core';
import { AppError, messageOf } from '../model/errors.ts';
import { callLog, refusal } from './log-http.ts';
import type { LogHttpOptions } from './log-http.ts';

/** An RFC 3161 timestamp authority. */
export interface TimestampAuthority {
  /** The full address that takes queries. */
  readonly url: string;
  /**
   * A timestamp over `signature`: the whole TimeStampResp, DER, for this digest and this request. Who signed it is
   * verified with the evidence. Errors: ERR_LOG_UNREACHABLE, ERR_LOG_UNAVAILABLE (passing), ERR_LOG_REFUSED,
   * ERR_TIMESTAMP_ANSWER.
   */
  stamp(signature: Uint8Array, options: { readonly signal: AbortSignal }): Promise<Uint8Array>;
}

const nonceBytes = 8;
const sha256Imprint = Buffer.from('3031300d060960864801650304020105000420', 'hex');
const version1 = Buffer.from('020101', 'hex');
const wantCertificates = Buffer.from('0101ff', 'hex');
const grantedStatuses = [0n, 1n];

/** A client of the authority at `url`, the full address that takes queries (RFC 3161 section 3.4). */
export function createTimestampClient(options: LogHttpOptions): TimestampAuthority {
  return {
    url: options.url,
    stamp: async (signature, { signal }) => {
      const digest = hash('sha256', signature, 'buffer');
      const nonce = makeNonce();
      const { pathname, search, origin } = new URL(options.url);
      const answer = await callLog(
        { ...options, url: origin },
        {
          method: 'POST',
          path: `${pathname}${search}`,
          body: encodeQuery(digest, nonce),
          contentType: 'application/timestamp-query',
          accept: 'application/timestamp-reply',
          signal,
        },
      );
      if (answer.status !== 200 && answer.status !== 201) throw refusal(answer, options.clock);
      requireStampOf(answer.body, { digest, nonce, address: answer.address });
      return answer.body;
    },
  };
}

/** A positive integer of exactly eight bytes, so that its DER form is those bytes. */
function makeNonce(): Buffer {
  const nonce = randomBytes(nonceBytes);
  nonce[0] = ((nonce[0] ?? 0) & 0x7f) | 0x40;
  return nonce;
}

/** TimeStampReq (RFC 3161 section 2.4.1): version, SHA-256 imprint, nonce, certificates wanted. */
function encodeQuery(digest: Buffer, nonce: Buffer): Buffer {
  const content = Buffer.concat([
    version1,
    sha256Imprint,
    digest,
    Buffer.of(0x02, nonceBytes),
    nonce,
    wantCertificates,
  ]);
  return Buffer.concat([Buffer.of(0x30, content.length), content]);
}

function requireStampOf(
  der: Buffer,
  asked: { readonly digest: Buffer; readonly nonce: Buffer; readonly address: string },
): void {
  try {
    const stamp = RFC3161Timestamp.parse(Buffer.from(der));
    if (!grantedStatuses.includes(stamp.status)) throw new Error(`its status is ${stamp.status}`);
    if (!stamp.tstInfo.messageImprintHashedMessage.equals(asked.digest))
      throw new Error('it is for another digest');
    const hasNonce = stamp.tstInfo.root.subs.some(
      ({ tag, value }) => tag.isInteger() && value.equals(asked.nonce),
    );
    if (!hasNonce) throw new Error('it is the answer to another request');
  } catch (error) {
    throw new AppError(
      'ERR_TIMESTAMP_ANSWER',
      `${asked.address} gave a timestamp that cannot be used: ${messageOf(error)}`,
      {
        kind: 'passing',
        object: asked.address,
        remedy: 'Check that the address is that of an RFC 3161 timestamp authority.',
        cause: error,
      },
    );
  }
}
