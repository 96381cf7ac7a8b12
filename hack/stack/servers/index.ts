import { ctlog } from './ctlog.ts';
import { postgres, redis } from './databases.ts';
import { etcd } from './etcd.ts';
import { fulcio } from './fulcio.ts';
import { harborFront, harborRegistry, referrersRegistry } from './harbor.ts';
import { kubeApiserver } from './kube-apiserver.ts';
import { rekor } from './rekor.ts';
import { rekor2Front, rekor2Writer } from './rekor2.ts';
import type { Server } from './server.ts';
import { trillianServer, trillianSigner } from './trillian.ts';
import { tsa } from './tsa.ts';

/** Every server of the stack, each after those that it needs. */
export const servers: readonly Server[] = [
  etcd,
  kubeApiserver,
  postgres,
  redis,
  trillianServer,
  trillianSigner,
  ctlog,
  fulcio,
  tsa,
  rekor,
  rekor2Writer,
  rekor2Front,
  harborRegistry,
  harborFront,
  referrersRegistry,
];

/** Names that stand for several servers. */
const groups: Readonly<Record<string, readonly string[]>> = {
  harbor: [harborRegistry.name, harborFront.name],
  rekor2: [rekor2Writer.name, rekor2Front.name],
};

/** The servers that a name stands for, in the order of their starting. */
export function serversNamed(name: string): Server[] {
  const members = groups[name] ?? [name];
  const found = servers.filter((server) => members.includes(server.name));
  if (found.length === 0) {
    const known = [...servers.map((server) => server.name), ...Object.keys(groups)].join(', ');
    throw new Error(`no server is called ${name}; there are: ${known}`);
  }
  return found;
}
