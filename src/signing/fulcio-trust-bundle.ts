import { request } from 'undici';
import { X509Certificate } from 'node:crypto';
import type { Dispatcher } from 'undici';
import { z } from 'zod';
import { readBounded } from '../model/bounded-body.ts';
import { AppError, fromHttpFault, messageOf } from '../model/errors.ts';
import { deadlines, limits } from '../model/limits.ts';

const shape = z.object({
  chains: z
    .array(z.object({ certificates: z.array(z.string()).min(1).max(16) }))
    .min(1)
    .max(32),
});

/** One chain of a Fulcio, DER, the root last. */
export type FulcioChain = readonly [Uint8Array, ...Uint8Array[]];

/**
 * The chains that a Fulcio says it issues under (`GET /api/v2/trustBundle`, fulcio.proto). Nothing proves them but the
 * connection. Errors: ERR_FULCIO_UNREACHABLE (passing), ERR_FULCIO_REFUSED, ERR_FULCIO_ANSWER.
 */
export async function fetchFulcioChains(
  url: string,
  { dispatcher, signal }: { readonly dispatcher: Dispatcher; readonly signal: AbortSignal },
): Promise<readonly FulcioChain[]> {
  const address = new URL('api/v2/trustBundle', url.endsWith('/') ? url : `${url}/`).href;
  const { status, body } = await get(address, dispatcher, signal);
  if (status !== 200) throw refused(address, status);
  try {
    const { chains } = shape.parse(JSON.parse(body.toString('utf8')));
    return chains.map(({ certificates: [first = '', ...others] }) => [toDer(first), ...others.map(toDer)]);
  } catch (error) {
    throw new AppError('ERR_FULCIO_ANSWER', `${address} gave no certificate chains: ${messageOf(error)}`, {
      kind: 'passing',
      object: address,
      remedy: 'Check that the address is that of a Fulcio with API v2.',
      cause: error,
    });
  }
}

function toDer(pem: string): Uint8Array {
  return new X509Certificate(pem).raw;
}

async function get(
  address: string,
  dispatcher: Dispatcher,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly body: Buffer }> {
  try {
    const { statusCode, body } = await request(address, {
      headers: { accept: 'application/json' },
      dispatcher,
      signal: AbortSignal.any([signal, AbortSignal.timeout(deadlines.fulcioMs)]),
    });
    const bound = { maxBytes: limits.jsonBytes, code: 'ERR_FULCIO_ANSWER', object: address };
    return { status: statusCode, body: await readBounded(body, bound) };
  } catch (error) {
    signal.throwIfAborted();
    throw fromHttpFault(error, 'ERR_FULCIO_UNREACHABLE', address);
  }
}

function refused(address: string, status: number): AppError {
  return new AppError('ERR_FULCIO_REFUSED', `${address} answered with HTTP ${status}`, {
    kind: 'passing',
    object: address,
    remedy: 'Check that the address is that of a Fulcio with API v2, and its log.',
  });
}
