import type { WitnessSource } from '../../attestation/witnessing.ts';
import type { Clock } from '../../model/clock.ts';
import { AppError } from '../../model/errors.ts';
import type { Log } from '../../model/log.ts';
import { logKeysOf } from '../../signing/trust-root.ts';
import type { TrustRoot, TrustedLogKey } from '../../signing/trust-root.ts';
import { RekorV1Client } from '../../transparency/rekor-v1-client.ts';
import { RekorV2Client } from '../../transparency/rekor-v2-client.ts';
import { createTimestampClient } from '../../transparency/timestamp-client.ts';
import type { TransparencyLog } from '../../transparency/transparency-log.ts';
import type { Dispatchers } from './dispatchers.ts';
import type { SigningServices, WitnessAddresses } from './signing-services.ts';
import type { CurrentTrustRoot } from './trust.ts';

/** What asking witnesses takes. */
export interface WitnessParts {
  readonly services: SigningServices;
  readonly trust: CurrentTrustRoot;
  readonly dispatchers: Dispatchers;
  readonly clock: Clock;
  readonly log: Log;
}

/** The clients of the logs and timestamp authorities that count now. */
export function createWitnessSource(parts: WitnessParts): WitnessSource {
  const { services, trust, dispatchers, clock } = parts;
  const clients = new Map<string, TransparencyLog>();
  const clientOf = (address: WitnessAddresses['logs'][number]): TransparencyLog => {
    const key = `${address.version} ${address.url}`;
    const known = clients.get(key);
    if (known !== undefined) return known;
    const client = createLogClient(address, parts);
    clients.set(key, client);
    return client;
  };
  return {
    current: async (options) => {
      const { logs, timestampAuthorities } = await services.witnesses(options);
      const trustRoot = await trust.current(options);
      const needsRoot = timestampAuthorities.length > 0 || logs.some(({ version }) => version === 'v2');
      if (needsRoot && trustRoot === undefined) throw rootless();
      return {
        logs: logs.map(clientOf),
        timestampAuthorities: timestampAuthorities.map((url) =>
          createTimestampClient({ url, dispatcher: dispatchers.for(new URL(url).host), clock }),
        ),
        trustRoot,
      };
    },
  };
}

function createLogClient(
  { url, version }: WitnessAddresses['logs'][number],
  { trust, dispatchers, clock, log }: WitnessParts,
): TransparencyLog {
  const options = {
    url,
    dispatcher: dispatchers.for(new URL(url).host),
    clock,
    log,
    // An entry under a key whose time is over would count as signed, and nobody could verify it.
    get keys() {
      return usableKeys(trust.latest, { url, at: clock.now() });
    },
  };
  return version === 'v2' ? new RekorV2Client(options) : new RekorV1Client(options);
}

/** None only where there is no trust root: then Rekor v1's own key is pinned. */
function usableKeys(
  trustRoot: TrustRoot | undefined,
  { url, at }: { readonly url: string; readonly at: Date },
): readonly TrustedLogKey[] {
  if (trustRoot === undefined) return [];
  const keys = logKeysOf(trustRoot, at);
  if (keys.length > 0) return keys;
  throw new AppError(
    'ERR_LOG_UNTRUSTED',
    `the trust root has no key of a log that is valid now, for ${url}`,
    {
      kind: 'passing',
      object: url,
      remedy: "Add the log's key to the trust root.",
    },
  );
}

function rootless(): AppError {
  return new AppError(
    'ERR_SETTINGS_LOG',
    'Rekor v2 and timestamp authorities cannot be used without a trust root: their answers could not be checked',
    { kind: 'permanent', remedy: 'Name a trusted_root.json in trustedRoot.file.' },
  );
}
