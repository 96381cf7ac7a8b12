import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubectl, openStack } from '../../../hack/stack/stack.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import { openKubeconfigAccess } from '../../../src/kube/kubeconfig-access.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { writeAccountKubeconfig } from '../../support/account-kubeconfig.ts';
import { KubeApi } from '../../support/kube-api.ts';
import { createNamespace, deleteNamespace } from '../../support/test-namespace.ts';
import { waitFor } from '../../support/waiting.ts';

const permissions = new URL('../../../config/webhook/rbac.yaml', import.meta.url);
const { signal } = new AbortController();

/** A namespace with a webhook's ServiceAccount, which may do what config/webhook/rbac.yaml says and no more. */
export interface WebhookAccount extends AsyncDisposable {
  readonly namespace: string;
  /** Begins the names of all that is the test's own, cluster-wide; also that of its webhook configurations. */
  readonly stem: string;
  /** Has the rights of the ServiceAccount. */
  readonly client: KubeClient;
  /** The administrator. */
  readonly api: KubeApi;
}

/** Opens one; disposing of it removes all that it made. */
export async function openWebhookAccount(): Promise<WebhookAccount> {
  const stack = await openStack();
  await using opened = new AsyncDisposableStack();
  const api = opened.use(await KubeApi.open(stack.kubeconfig));
  const stem = `rec-${randomUUID().slice(0, 8)}`;
  const namespace = await createNamespace(api, stem);
  opened.defer(() => deleteNamespace(api, namespace));
  const rbac = await permissionsOf(namespace, stem);
  await kubectl(['apply', '-f', '-'], rbac);
  opened.defer(async () => {
    await kubectl(['delete', '--ignore-not-found', '-f', '-'], rbac);
  });
  const folder = await mkdtemp(join(tmpdir(), 'chainwright-'));
  opened.defer(() => rm(folder, { recursive: true }));
  const file = join(folder, 'kubeconfig');
  await writeAccountKubeconfig(stack, { namespace, name: stem }, file);
  const access = await openKubeconfigAccess({ paths: [file], clock: systemClock }, { signal });
  const client = opened.use(new KubeClient({ access, clock: systemClock }));
  const closing = opened.move();
  return { namespace, stem, client, api, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

/** Rights of the account besides, from a file below config/. */
export async function grantBesides(account: WebhookAccount, file: string): Promise<AsyncDisposable> {
  const text = (await readFile(new URL(`../../../config/${file}`, import.meta.url), 'utf8'))
    .replaceAll('name: chainwright-webhook', `name: ${account.stem}`)
    .replaceAll('namespace: tekton-chains', `namespace: ${account.namespace}`);
  await kubectl(['apply', '-f', '-'], text);
  return {
    [Symbol.asyncDispose]: async () => {
      await kubectl(['delete', '--ignore-not-found', '-f', '-'], text);
    },
  };
}

async function permissionsOf(namespace: string, stem: string): Promise<string> {
  const text = await readFile(permissions, 'utf8');
  return text
    .replaceAll('chainwright-webhook-certificate', `${stem}-certificate`)
    .replaceAll('name: chainwright-webhook', `name: ${stem}`)
    .replaceAll('resourceNames: [chainwright]', `resourceNames: [${stem}]`)
    .replaceAll('namespace: tekton-chains', `namespace: ${namespace}`);
}

/** Waits until `look` gives something other than undefined. */
export function eventually<Found>(
  look: () => Found | undefined | Promise<Found | undefined>,
): Promise<Found> {
  return waitFor(() => Promise.resolve().then(look), {
    what: 'what is awaited',
    timeoutMs: 90_000,
    pollMs: 50,
  });
}
