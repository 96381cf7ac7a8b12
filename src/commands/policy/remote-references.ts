import type { Dispatcher } from 'undici';
import type { PolicyReferences } from '../../policy/policy-references.ts';
import { fetchRemotePolicy } from '../../policy/remote-policy.ts';
import { openKmsKeys } from '../../signing/kms/kms-keys.ts';
import type { Environment } from '../wiring/cluster.ts';
import { Dispatchers } from '../wiring/dispatchers.ts';
import { trustedFilesOf } from '../wiring/process-log.ts';

/** What policies refer to that lies neither in files nor in a cluster. */
export type RemoteReferences = Pick<PolicyReferences, 'fetchRemotePolicy' | 'findKmsKey'>;

/**
 * Finds policies at https addresses and keys that a KMS holds. Most policies have neither: the connection pool is made when
 * one is asked for, and `closing` takes it.
 */
export function openRemoteReferences(options: {
  readonly environment: Environment;
  readonly signal: AbortSignal;
  readonly closing: AsyncDisposableStack;
}): RemoteReferences {
  const { environment, signal, closing } = options;
  let opening: Promise<Dispatchers> | undefined;
  const open = async (): Promise<Dispatchers> =>
    closing.use(await Dispatchers.open({ caFiles: trustedFilesOf(environment) }));
  // No host has a trust of its own here.
  const dispatcherOf = async (): Promise<Dispatcher> => (await (opening ??= open())).for('');
  return {
    fetchRemotePolicy: async (policy) =>
      fetchRemotePolicy(policy, { dispatcher: await dispatcherOf(), signal }),
    findKmsKey: async (uri) =>
      openKmsKeys({ dispatcher: await dispatcherOf(), environment }).find(uri, { signal }),
  };
}
