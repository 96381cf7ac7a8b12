import type { KubeClient } from '../kube/kube-client.ts';
import { isRecord } from '../kube/kube-object.ts';
import { resourceTypes } from '../kube/resource-type.ts';
import { AppError } from '../model/errors.ts';
import type { ReadSecret } from './alarm-receiver.ts';

/** Reads Secrets of the monitor's own namespace; see {@link ReadSecret}. */
export function openReceiverSecrets(client: Pick<KubeClient, 'get'>, namespace: string): ReadSecret {
  return async ({ name, key }, { signal }) => {
    const secret = await client.get(resourceTypes.secrets, { namespace, name }, { signal });
    const data = isRecord(secret['data']) ? secret['data'] : {};
    const text = data[key];
    if (typeof text === 'string' && text !== '') return Buffer.from(text, 'base64').toString('utf8');
    throw new AppError('ERR_MONITOR_SECRET', `Secret ${namespace}/${name} has no key ${key}`, {
      kind: 'permanent',
      object: `${namespace}/${name}`,
      remedy: 'Put it there, or correct spec.webhook of the LogMonitor.',
    });
  };
}
