import { request } from 'undici';
import type { Dispatcher } from 'undici';
import { readBounded } from '../../model/bounded-body.ts';
import { AppError, faultKindOfStatus, fromHttpFault, messageOf } from '../../model/errors.ts';
import type { FaultKind } from '../../model/errors.ts';
import { limits } from '../../model/limits.ts';

interface Way {
  readonly dispatcher: Dispatcher;
  readonly signal: AbortSignal;
}

/** The JSON at an address. Throws ERR_DOCTOR_UNREACHABLE (passing), ERR_DOCTOR_ANSWER. */
export async function getJson(address: string, { dispatcher, signal }: Way): Promise<unknown> {
  const { status, body } = await get(address, { dispatcher, signal });
  if (status !== 200) throw badAnswer(address, `HTTP ${status}`, faultKindOfStatus(status));
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch (error) {
    throw badAnswer(address, messageOf(error), 'permanent');
  }
}

/** The time that a server tells with an answer, whatever that is; undefined if it tells none. Throws ERR_DOCTOR_UNREACHABLE (passing). */
export async function getServerTime(address: string, way: Way): Promise<Date | undefined> {
  const { date } = await get(address, way);
  const time = new Date(date);
  return Number.isNaN(time.getTime()) ? undefined : time;
}

async function get(
  address: string,
  { dispatcher, signal }: Way,
): Promise<{ readonly status: number; readonly date: string; readonly body: Buffer }> {
  try {
    const { statusCode, headers, body } = await request(address, {
      headers: { accept: 'application/json' },
      dispatcher,
      signal,
    });
    const { date } = headers;
    const bound = { maxBytes: limits.jsonBytes, code: 'ERR_DOCTOR_ANSWER', object: address };
    return {
      status: statusCode,
      date: typeof date === 'string' ? date : '',
      body: await readBounded(body, bound),
    };
  } catch (error) {
    signal.throwIfAborted();
    throw fromHttpFault(error, 'ERR_DOCTOR_UNREACHABLE', address);
  }
}

function badAnswer(address: string, why: string, kind: FaultKind): AppError {
  return new AppError('ERR_DOCTOR_ANSWER', `${address} answers with something else: ${why}`, {
    kind,
    object: address,
    remedy: 'Check that the address is the right one, and that no proxy stands before it.',
  });
}
