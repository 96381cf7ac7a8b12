import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { kubectl } from '../../hack/stack/stack.ts';
import type { Account } from './account-kubeconfig.ts';

interface Rule {
  readonly resourceNames?: readonly string[];
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly Rule[];
  readonly roleRef?: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly object[];
}

/** The webhook's rights in a namespace of a test. */
export interface WebhookRights extends AsyncDisposable {
  readonly account: Account;
}

const file = resolve(import.meta.dirname, '../../config/webhook/rbac.yaml');
const releasedName = 'chainwright';

/**
 * Gives a ServiceAccount in `namespace` what config/webhook gives the deployed webhook, and no more. What belongs to the
 * whole cluster is named as the namespace is. All of it goes on disposal.
 */
export async function grantWebhookRights(namespace: string, webhookName: string): Promise<WebhookRights> {
  const documents = parseAllDocuments(await readFile(file, 'utf8'));
  const items = documents
    .map((document) => document.toJS() as Manifest)
    .map((manifest) => moved(manifest, namespace, webhookName));
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  await kubectl(['apply', '--server-side', '-f', '-'], list);
  const account = items.find(({ kind }) => kind === 'ServiceAccount');
  return {
    account: { namespace, name: account?.metadata.name ?? '' },
    [Symbol.asyncDispose]: async () => {
      await kubectl(['delete', '--ignore-not-found', '-f', '-'], list);
    },
  };
}

function moved(manifest: Manifest, namespace: string, webhookName: string): Manifest {
  const { metadata, roleRef, rules, subjects } = manifest;
  const isOfCluster = metadata.namespace === undefined;
  return {
    ...manifest,
    metadata: isOfCluster ? { ...metadata, name: namespace } : { ...metadata, namespace },
    ...(roleRef?.kind === 'ClusterRole' ? { roleRef: { ...roleRef, name: namespace } } : {}),
    ...(subjects === undefined ? {} : { subjects: subjects.map((subject) => ({ ...subject, namespace })) }),
    ...(rules === undefined ? {} : { rules: rules.map((rule) => renamed(rule, webhookName)) }),
  };
}

function renamed(rule: Rule, webhookName: string): Rule {
  if (rule.resourceNames === undefined) return rule;
  const names = rule.resourceNames.map((name) => (name === releasedName ? webhookName : name));
  return { ...rule, resourceNames: names };
}
