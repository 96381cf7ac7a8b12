import { randomUUID } from 'node:crypto';
import { kubectl, openStack } from '../../../hack/stack/stack.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import type { KubeTrace } from '../../../src/kube/kube-transport.ts';
import { openKubeconfigAccess } from '../../../src/kube/kubeconfig-access.ts';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';

const namespaces = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false };

/** A namespace of its own on the stack's API server, and a client that is its administrator. */
export interface TestCluster extends AsyncDisposable {
  readonly client: KubeClient;
  readonly namespace: string;
  /** Requests so far, for counting. */
  readonly traces: KubeTrace[];
  createRun(name: string, metadata?: Record<string, unknown>): Promise<KubeObject>;
  /** Requests that `work` makes, as `verb resource`. */
  requestsOf(work: () => Promise<unknown>): Promise<string[]>;
}

const write = { signal: new AbortController().signal, fieldManager: 'chainwright-test' };

export async function openTestCluster(): Promise<TestCluster> {
  const { kubeconfig } = await openStack();
  const access = await openKubeconfigAccess({ paths: [kubeconfig], clock: systemClock }, write);
  const traces: KubeTrace[] = [];
  const client = new KubeClient({
    access,
    clock: systemClock,
    onRequest: (trace) => traces.push(trace),
  });
  const namespace = `kube-it-${randomUUID().slice(0, 8)}`;
  const metadata = { name: namespace };
  await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata }, write);
  return {
    client,
    namespace,
    traces,
    createRun: (name, extra = {}) => createRun(client, { namespace, name, ...extra }),
    requestsOf: async (work) => {
      const before = traces.length;
      await work();
      return traces.slice(before).map(({ verb, resource }) => `${verb} ${resource}`);
    },
    [Symbol.asyncDispose]: async () => {
      await removeNamespace(client, namespace);
      await client[Symbol.asyncDispose]();
    },
  };
}

function createRun(client: KubeClient, metadata: Record<string, unknown>): Promise<KubeObject> {
  // controllers that other tests left running leave alone what somebody else manages
  const spec = { managedBy: 'example.com/test', taskSpec: { steps: [{ name: 'build', image: 'busybox' }] } };
  const run = { apiVersion: 'tekton.dev/v1', kind: 'TaskRun', metadata, spec };
  return client.create(resourceTypes.taskRuns, run, write);
}

// no controller manager empties and removes a namespace here
async function removeNamespace(client: KubeClient, namespace: string): Promise<void> {
  const { taskRuns, signingRecords, secrets, serviceAccounts, events } = resourceTypes;
  for (const type of [taskRuns, signingRecords, secrets, serviceAccounts, events]) {
    const { items } = await client.list(type, { namespace, ...write });
    for (const { metadata } of items) {
      const ref = { namespace, name: metadata.name };
      if (metadata.finalizers !== undefined) {
        await client.mergePatch(type, ref, { metadata: { finalizers: null } }, write);
      }
      await client.delete(type, ref, write).catch(() => undefined);
    }
  }
  await client.delete(namespaces, { name: namespace }, write);
  const emptied = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace },
    spec: { finalizers: [] },
  };
  const path = `/api/v1/namespaces/${namespace}/finalize`;
  await kubectl(['replace', '--raw', path, '-f', '-'], JSON.stringify(emptied));
}
