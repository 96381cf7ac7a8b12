import { z } from 'zod';
import { duration } from './field-schemas.ts';

/** `spec.records`; durations come out in milliseconds. */
export const recordsSchema = z
  .strictObject({
    maxAge: duration({ min: '1h', max: '87600h' })
      .prefault('2160h')
      .describe('How long the record of a run is kept once the run is gone.'),
    maxPerNamespace: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(2000)
      .describe('Records of runs that are gone which a namespace keeps at most; the oldest go first.'),
    minAge: duration({ min: '0s', max: '8760h' })
      .prefault('72h')
      .describe(
        'No record goes sooner than this after it was last written, however many there are: longer than the log monitor may be away.',
      ),
  })
  .transform(({ maxAge, minAge, ...rest }) => ({ ...rest, maxAgeMs: maxAge, minAgeMs: minAge }));
