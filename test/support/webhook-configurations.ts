import { readFile, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { KubeApi, KubeObject } from './kube-api.ts';

interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly object[];
}

interface Webhook {
  readonly name: string;
  readonly clientConfig: { readonly service?: { readonly path?: string } };
  readonly namespaceSelector?: Selector;
  readonly [field: string]: unknown;
}

interface Configuration extends KubeObject {
  readonly kind: 'ValidatingWebhookConfiguration' | 'MutatingWebhookConfiguration';
  readonly webhooks: readonly Webhook[];
}

const folder = resolve(import.meta.dirname, '../../config/webhook');
const paths = {
  ValidatingWebhookConfiguration: '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations',
  MutatingWebhookConfiguration: '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations',
} as const;
const kinds = Object.keys(paths);
/** Marks what tests made. What a killed one leaves is about its own namespaces alone, and keeps nobody else out. */
const testLabel = 'chainwright.dev/test-webhook';
const leftMs = 1_800_000;

/** What is put into the configurations instead of the deployed Service. */
export interface ConfigurationOptions {
  readonly name: string;
  /** `https://HOST:PORT` */
  readonly origin: string;
  /** PEM; absent: the webhook keeps it right by itself. */
  readonly authority?: string;
}

/**
 * Creates our released WebhookConfigurations with a webhook out of the cluster, for namespaces and policies that carry
 * the label {@link testSelector} besides what the configurations ask for. They are removed on disposal.
 */
export async function createConfigurations(
  api: KubeApi,
  { name, origin, authority }: ConfigurationOptions,
): Promise<AsyncDisposable> {
  const configurations = await readConfigurations();
  for (const configuration of configurations) {
    const webhooks = configuration.webhooks.map((webhook) => ({
      ...narrowed(webhook, testSelector(name)),
      clientConfig: {
        url: `${origin}${webhook.clientConfig.service?.path ?? ''}`,
        ...(authority === undefined ? {} : { caBundle: Buffer.from(authority).toString('base64') }),
      },
    }));
    const { labels = {} } = configuration.metadata as { readonly labels?: Record<string, string> };
    const metadata = { name, labels: { ...labels, [testLabel]: name } };
    await api.create(paths[configuration.kind], { ...configuration, metadata, webhooks });
  }
  return {
    [Symbol.asyncDispose]: async () => {
      for (const path of Object.values(paths)) await api.delete(`${path}/${name}`);
    },
  };
}

/** Objects of no namespace, such as policies, are chosen by their own labels. */
function narrowed(webhook: Webhook, labels: Readonly<Record<string, string>>): object {
  const { namespaceSelector } = webhook;
  if (namespaceSelector === undefined) return { ...webhook, objectSelector: { matchLabels: labels } };
  const matchLabels = { ...namespaceSelector.matchLabels, ...labels };
  return { ...webhook, namespaceSelector: { ...namespaceSelector, matchLabels } };
}

/** The label of namespaces, and of policies, that a test's configurations are about. */
export function testSelector(name: string): Readonly<Record<string, string>> {
  return { [testLabel]: name };
}

/** Removes what tests left behind that were killed long ago; younger ones may belong to a run beside this one. */
export async function removeLeftConfigurations(api: KubeApi): Promise<void> {
  for (const path of Object.values(paths)) {
    for (const { metadata } of await api.list(`${path}?labelSelector=${testLabel}`)) {
      if (Date.now() - Date.parse(metadata.creationTimestamp ?? '') > leftMs) {
        await api.delete(`${path}/${metadata.name}`);
      }
    }
  }
}

async function readConfigurations(): Promise<readonly Configuration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.yaml'));
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return texts
    .flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Configuration | null))
    .filter((object) => object !== null)
    .filter(({ kind }) => kinds.includes(kind));
}
