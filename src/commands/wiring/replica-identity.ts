import { randomBytes } from 'node:crypto';
import type { Environment } from './cluster.ts';

/** A name of this process among its replicas, unique to it, a restart included. */
export function uniqueIdentity({ HOSTNAME: host = '' }: Environment, fallback: string): string {
  return `${objectNameOf(host) ?? fallback}-${randomBytes(4).toString('hex')}`;
}

/**
 * A name of this replica. In a Pod it is the Pod's (`POD_NAME`): a container starts again only when the process before it is
 * gone, so what that one held may be taken up at once.
 */
export function replicaIdentity(environment: Environment, fallback: string): string {
  return objectNameOf(environment['POD_NAME'] ?? '') ?? uniqueIdentity(environment, fallback);
}

function objectNameOf(name: string): string | undefined {
  const stem = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-')
    .slice(0, 200)
    .replaceAll(/^-+|-+$/g, '');
  return stem === '' ? undefined : stem;
}
