import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { Stack } from '../../../hack/stack/stack.ts';
import { checkout } from '../chainwright-process.ts';
import { testSelector } from '../webhook-configurations.ts';

/** A kustomization of a user of ours, for `kubectl apply -k`. */
export interface StackOverlay extends AsyncDisposable {
  readonly folder: string;
}

/** What is to be said of the stack. */
export interface StackOverlayOptions {
  readonly stack: Stack;
  /** Name of the test label that namespaces and policies carry which the webhook is to be about. */
  readonly name: string;
  /** Where on this machine the webhook serves. */
  readonly port: number;
  /** False: without a ChainwrightConfig, so that the `chains-config` of the cluster decides. */
  readonly hasSettings?: boolean;
}

/**
 * The overlay for a Sigstore of one's own, with the stack's addresses. No Service leads to this machine, so that of the webhook is a
 * name for it; and what other tests do is left alone.
 */
export async function openStackOverlay({
  stack,
  name,
  port,
  hasSettings = true,
}: StackOverlayOptions): Promise<StackOverlay> {
  const folder = await mkdtemp(join(tmpdir(), 'chainwright-overlay-'));
  const labels = testSelector(name);
  const inNamespaces = [0, 1].map((at) => ({
    op: 'add',
    path: `/webhooks/${at}/namespaceSelector/matchLabels`,
    value: labels,
  }));
  const ofObjects = [2, 3].map((at) => ({
    op: 'add',
    path: `/webhooks/${at}/objectSelector`,
    value: { matchLabels: labels },
  }));
  const ports = (count: number): object[] =>
    Array.from({ length: count }, (_, at) => ({
      op: 'replace',
      path: `/webhooks/${at}/clientConfig/service/port`,
      value: port,
    }));
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [relative(folder, join(checkout, 'config/overlays/self-hosted'))],
    patches: [
      // No controller manager runs here to end a namespace that is deleted.
      without('v1', 'Namespace'),
      ...addressPatches(stack),
      ...(hasSettings ? [] : [without('chainwright.dev/v1alpha1', 'ChainwrightConfig')]),
      patchOf('ValidatingWebhookConfiguration', [...inNamespaces, ...ofObjects, ...ports(4)]),
      patchOf('MutatingWebhookConfiguration', [...inNamespaces, ...ports(2)]),
      patchOf(
        'Service',
        [{ op: 'replace', path: '/spec', value: { type: 'ExternalName', externalName: 'localhost' } }],
        'chainwright-webhook',
      ),
    ],
  };
  await writeFile(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

/** The addresses of the stack's Fulcio and Rekor, in place of those of the overlay self-hosted. */
export function addressPatches(stack: Stack): readonly object[] {
  const rekor = { name: 'COSIGN_REKOR_URL', value: stack.rekorUrl };
  return [
    patchOf('ChainwrightConfig', [
      { op: 'replace', path: '/spec/signer/fulcio/url', value: stack.fulcioUrl },
    ]),
    ...['controller', 'webhook'].map((container) => ({
      target: { kind: 'Deployment', labelSelector: `app.kubernetes.io/name=chainwright-${container}` },
      patch: JSON.stringify({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'any' },
        spec: { template: { spec: { containers: [{ name: container, env: [rekor] }] } } },
      }),
    })),
  ];
}

function without(apiVersion: string, kind: string): object {
  const metadata = { name: 'any' };
  return { target: { kind }, patch: JSON.stringify({ $patch: 'delete', apiVersion, kind, metadata }) };
}

/** Operations of JSON Patch on each object of that kind, or the one of that name, as a kustomization has them. */
export function patchOf(kind: string, operations: readonly object[], name?: string): object {
  return { target: { kind, ...(name === undefined ? {} : { name }) }, patch: JSON.stringify(operations) };
}
