import { silentLog } from '../../model/log.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { logKeysOf } from '../../signing/trust-root.ts';
import type { TrustRoot } from '../../signing/trust-root.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import { RekorV1Client } from '../../transparency/rekor-v1-client.ts';
import type { Dispatchers } from './dispatchers.ts';

/** The transparency log (Rekor v1) that the settings name, as a person's own commands ask it. */
export function openUserLog(
  { log: { url } }: Settings,
  parts: { readonly dispatchers: Dispatchers; readonly trustRoot: TrustRoot | undefined },
): RekorV1Client {
  return new RekorV1Client({
    url,
    dispatcher: parts.dispatchers.for(new URL(url).host),
    clock: systemClock,
    keys: parts.trustRoot === undefined ? [] : logKeysOf(parts.trustRoot),
    log: silentLog,
  });
}
