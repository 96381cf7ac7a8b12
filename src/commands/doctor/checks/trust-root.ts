import { X509Certificate } from '@sigstore/core';
import { messageOf } from '../../../model/errors.ts';
import { silentLog } from '../../../model/log.ts';
import { logKeysOf } from '../../../signing/trust-root.ts';
import type { TrustRoot } from '../../../signing/trust-root.ts';
import { checkTrustedRoot } from '../../../signing/trusted-root-check.ts';
import { trustedRootSchema } from '../../../signing/trusted-root-document.ts';
import { fetchTimestampChain, findCheckpointKey, toLogKey } from '../../../transparency/published-keys.ts';
import { needsTrustRoot } from '../../wiring/trust.ts';
import { SigningServices } from '../../wiring/signing-services.ts';
import type { WitnessAddresses } from '../../wiring/signing-services.ts';
import type { Check, SigningParts } from '../examination.ts';
import type { Discovery } from '../finding-table.ts';

/** The trust root: sound in itself, and with the keys that our logs and timestamp authorities use now. */
export const trustRootCheck: Check = {
  name: 'trust-root',
  needs: 'settings',
  look: async (parts) => {
    const { settings, clock, signal } = parts;
    const { root, text, fault } = parts.trust;
    const object = 'trust root';
    if (fault !== undefined) return [{ id: 'trust-root-invalid', object, message: fault.message }];
    if (root === undefined && !needsTrustRoot(settings)) return [];
    if (root === undefined) {
      const message = 'no trusted_root.json is named, and the servers are not those of the public Sigstore';
      return [{ id: 'trust-root-missing', object, message }];
    }
    const services = new SigningServices({ settings, clock, log: silentLog });
    const { logs, timestampAuthorities } = await services.witnesses({ signal });
    const found = await Promise.all([
      ...logs.map((log) => judgeLog(log, root, parts)),
      ...timestampAuthorities.map((url) => judgeTimestamps(url, root, parts)),
    ]);
    return [...(text === undefined ? [] : unsoundness(text, clock.now())), ...found.flat()];
  },
};

function unsoundness(text: string, now: Date): readonly Discovery[] {
  const { data, error } = trustedRootSchema.safeParse(JSON.parse(text));
  const id = 'trust-root-invalid';
  if (data === undefined) return [{ id, object: 'trust root', message: messageOf(error) }];
  return checkTrustedRoot(data, now)
    .filter(({ severity }) => severity === 'error')
    .map(({ where, message }) => ({ id, object: `trust root ${where}`.trim(), message }));
}

async function judgeLog(
  { url, version }: WitnessAddresses['logs'][number],
  root: TrustRoot,
  { dispatchers, clock, signal }: SigningParts,
): Promise<readonly Discovery[]> {
  const keys = logKeysOf(root, clock.now()).map(({ publicKey }) => toLogKey(publicKey));
  const way = { url, dispatcher: dispatchers.for(new URL(url).host), clock, signal };
  const signer = await findCheckpointKey(keys, { ...way, version: version === 'v2' ? 2 : 1 });
  if (signer !== undefined) return [];
  const message = `none of its ${keys.length} log keys signed the checkpoint`;
  return [{ id: 'log-key-untrusted', object: url, message }];
}

async function judgeTimestamps(
  url: string,
  { material }: TrustRoot,
  { dispatchers, clock, signal }: SigningParts,
): Promise<readonly Discovery[]> {
  const way = { url, dispatcher: dispatchers.for(new URL(url).host), clock, signal };
  const [leaf] = await fetchTimestampChain(way);
  const shown = X509Certificate.parse(Buffer.from(leaf));
  const isKnown = material.timestampAuthorities.some(({ certChain }) =>
    certChain.some((certificate) => certificate.equals(shown)),
  );
  if (isKnown) return [];
  const message = 'its signing certificate is in none of the trust root’s chains';
  return [{ id: 'timestamp-untrusted', object: url, message }];
}
