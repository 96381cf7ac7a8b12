import { BodyTooLargeError } from '../model/bounded-body.ts';

/**
 * What one stretch of a log's entries may take of memory, as the log answers with them: whoever may write to a log decides
 * how large its entries are, and a stretch is held as a whole.
 */
export const stretchBytes = 32 * 1024 * 1024;

/** Bounds of a single call. */
export interface CallBounds {
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/** A part of a stretch, and how large the answer was that brought it. */
export interface ReadPart<Value> {
  readonly value: Value;
  readonly bytes: number;
}

/** How parts are read. */
export interface ReadAheadOptions extends CallBounds {
  /** Calls at once while answers are small. */
  readonly atOnce: number;
}

/** The parts that were read, from the first one on without a gap. */
export interface ReadParts<Value> {
  readonly values: readonly Value[];
  /** Set if they end before a part whose answer is larger than `maxBytes`. */
  readonly isTooLarge: boolean;
}

/**
 * Reads parts of a stretch, several at once, as long as all answers together stay within {@link stretchBytes}: the larger
 * they are the fewer calls are made at once, and the sooner it ends. Throws what `read` throws, and cancels its other calls.
 */
export async function readAhead<Value>(
  parts: number,
  read: (part: number, bounds: CallBounds) => Promise<ReadPart<Value>>,
  { atOnce, maxBytes, signal }: ReadAheadOptions,
): Promise<ReadParts<Value>> {
  const failing = new AbortController();
  const bounds = { maxBytes, signal: AbortSignal.any([signal, failing.signal]) };
  const values: Value[] = [];
  let [next, end, held, running] = [0, parts, 0, 0];
  const work = async (): Promise<void> => {
    while (next < end && held + (running + 1) * maxBytes <= stretchBytes) {
      const part = next++;
      running += 1;
      try {
        const { value, bytes } = await read(part, bounds);
        values[part] = value;
        held += bytes;
      } catch (error) {
        if (!(error instanceof BodyTooLargeError)) throw error;
        end = Math.min(end, part);
      }
      running -= 1;
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(atOnce, parts) }, work));
  } catch (error) {
    failing.abort(error);
    throw error;
  }
  return { values: values.slice(0, end), isTooLarge: end < parts };
}
