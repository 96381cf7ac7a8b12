import { X509Certificate, createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { limits } from '../model/limits.ts';
import { openCheckpoint } from './checkpoint.ts';
import { badAnswer, callLog, refusal } from './log-http.ts';
import type { LogAnswer, LogHttpOptions } from './log-http.ts';
import { isSignedByLog, parseLogKey } from './log-key.ts';
import type { LogKey } from './log-key.ts';

type Options = LogHttpOptions & { readonly signal: AbortSignal };

const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const maxChain = 16;
const treeHeadShape = z.object({
  tree_size: z.int().nonnegative(),
  timestamp: z.int().nonnegative(),
  sha256_root_hash: z.base64(),
  tree_head_signature: z.base64(),
});

/**
 * The key that a Rekor v1 says is its own (`GET api/v1/log/publicKey`). Nothing proves it but the connection. Errors:
 * ERR_LOG_UNREACHABLE, ERR_LOG_UNAVAILABLE, ERR_LOG_REFUSED, ERR_LOG_ANSWER.
 */
export async function fetchRekorKey(options: Options): Promise<KeyObject> {
  const answer = await get('api/v1/log/publicKey', options);
  try {
    return createPublicKey(answer.body.toString('utf8'));
  } catch (error) {
    throw badAnswer(answer.address, 'it is no public key in PEM', error);
  }
}

/** The chain of a timestamp authority, DER (`GET api/v1/timestamp/certchain`). Errors: as {@link fetchRekorKey}. */
export async function fetchTimestampChain(options: Options): Promise<readonly [Uint8Array, ...Uint8Array[]]> {
  const url = options.url.replace(/\/api\/v1\/timestamp\/?$/, '');
  const answer = await get('api/v1/timestamp/certchain', { ...options, url });
  try {
    const blocks = answer.body.toString('utf8').match(certificateBlock) ?? [];
    const [leaf, ...issuers] = blocks.slice(0, maxChain).map((pem) => new X509Certificate(pem).raw);
    if (leaf === undefined) throw new Error('there is no certificate in it');
    return [leaf, ...issuers];
  } catch (error) {
    throw badAnswer(answer.address, 'it is no certificate chain', error);
  }
}

/**
 * Which of `keys` a log signs its state with now: the checkpoint of a Rekor v1 or v2. Undefined if none of them. Errors: as
 * {@link fetchRekorKey}.
 */
export async function findCheckpointKey<Key extends LogKey>(
  keys: readonly Key[],
  options: Options & { readonly version: 1 | 2 },
): Promise<Key | undefined> {
  const answer = await get(options.version === 1 ? 'api/v1/log' : 'api/v2/checkpoint', options);
  const text = answer.body.toString('utf8');
  const checkpoint = options.version === 1 ? checkpointIn(text, answer.address) : text;
  return keys.find((key) => isCheckpointOf(checkpoint, key));
}

function checkpointIn(text: string, address: string): string {
  try {
    return z.object({ signedTreeHead: z.string() }).parse(JSON.parse(text)).signedTreeHead;
  } catch (error) {
    throw badAnswer(address, 'it holds no signed tree head', error);
  }
}

function isCheckpointOf(checkpoint: string, key: LogKey): boolean {
  try {
    openCheckpoint(checkpoint, key);
    return true;
  } catch {
    // Not signed with this key, which is what is asked.
    return false;
  }
}

/**
 * Which of `keys` a certificate log signs its tree head with now (RFC 6962 section 4.3). Undefined if none of them. Errors: as
 * {@link fetchRekorKey}.
 */
export async function findTreeHeadKey<Key extends LogKey>(
  keys: readonly Key[],
  options: Options,
): Promise<Key | undefined> {
  const answer = await get('ct/v1/get-sth', options);
  try {
    const head = treeHeadShape.parse(JSON.parse(answer.body.toString('utf8')));
    const signed = encodeTreeHead(head);
    // DigitallySigned: hash algorithm, signature algorithm, two bytes of length, signature (RFC 5246 section 4.7).
    const signature = Buffer.from(head.tree_head_signature, 'base64').subarray(4);
    return keys.find((key) => isSignedByLog(key, signed, signature));
  } catch (error) {
    throw badAnswer(answer.address, 'it is no signed tree head', error);
  }
}

/** TreeHeadSignature (RFC 6962 section 3.5): v1, tree_hash, time, size, root. */
function encodeTreeHead(head: z.output<typeof treeHeadShape>): Buffer {
  const numbers = Buffer.alloc(18);
  numbers.writeUInt8(1, 1);
  numbers.writeBigUInt64BE(BigInt(head.timestamp), 2);
  numbers.writeBigUInt64BE(BigInt(head.tree_size), 10);
  return Buffer.concat([numbers, Buffer.from(head.sha256_root_hash, 'base64')]);
}

/** A log's key with the id that a client of the log knows it by. */
export function toLogKey(publicKey: KeyObject): LogKey {
  return parseLogKey(publicKey.export({ format: 'pem', type: 'spki' }).toString());
}

async function get(path: string, options: Options): Promise<LogAnswer> {
  const { signal } = options;
  const answer = await callLog(options, {
    method: 'GET',
    path,
    accept: '*/*',
    maxBytes: limits.jsonBytes,
    signal,
  });
  if (answer.status !== 200) throw refusal(answer, options.clock);
  return answer;
}
