import { findObject } from '../../../kube/find-object.ts';
import { X509Certificate } from 'node:crypto';
import { fieldManagers } from '../../../kube/field-managers.ts';
import type { KubeObject } from '../../../kube/kube-object.ts';
import { resourceTypes } from '../../../kube/resource-type.ts';
import { isAppError } from '../../../model/errors.ts';
import { matchesLabels } from '../../../policy/policy-matching.ts';
import type { LabelSelector } from '../../../policy/policy-schema.ts';
import { fieldOf, listObjects, recordsIn, textOf } from '../cluster-objects.ts';
import type { Check, ClusterParts } from '../examination.ts';
import type { Discovery } from '../finding-table.ts';

const certificateSecret = 'chainwright-webhook-certificate';
const certificatePattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
// It is good for a week, and renewed days before.
const dayMs = 24 * 3600 * 1000;
// As namespaces want it that let in restricted Pods alone.
const restricted = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
// Nobody can have signed it: the name is reserved (RFC 6761).
const unknownImage = `doctor.invalid/nothing@sha256:${'0'.repeat(64)}`;

/** The webhook: its configurations, its certificate, and what the API server really gets from it. */
export const webhookCheck: Check = {
  name: 'webhook',
  needs: 'cluster',
  look: async (parts) => {
    const { webhookName: name, account } = parts;
    const configurations = await Promise.all(
      [resourceTypes.validatingWebhooks, resourceTypes.mutatingWebhooks].map(async (type) => ({
        kind: type.kind,
        found: await findObject(parts.client, type, { name }, parts),
      })),
    );
    const missing = configurations.filter(({ found }) => found === undefined);
    const present = configurations.flatMap(({ found }) => (found === undefined ? [] : [found]));
    const leaf = await readLeaf(parts);
    const namespaces = await listObjects(parts, resourceTypes.namespaces);
    const own = namespaces.find(({ metadata }) => metadata.name === account.namespace);
    return [
      ...missing.map(({ kind }) => ({
        id: 'webhook-missing' as const,
        object: `${kind} ${name}`,
        message: 'it is not there',
      })),
      ...present.flatMap((object) => judgeConfiguration(object, { leaf, own })),
      ...(present.length === 0 ? [] : expiry(leaf, parts)),
      ...(await judgeDoor(present, namespaces, parts)),
    ];
  },
};

/** What our Secret says that we serve; undefined where the certificate is mounted by others. */
async function readLeaf(parts: ClusterParts): Promise<X509Certificate | undefined> {
  const ref = { namespace: parts.account.namespace, name: certificateSecret };
  const secret = await findObject(parts.client, resourceTypes.secrets, ref, parts);
  const pem = Buffer.from(textOf(fieldOf(secret, 'data', 'tls.crt')), 'base64').toString('latin1');
  return pem === '' ? undefined : new X509Certificate(pem);
}

function judgeConfiguration(
  { kind, metadata, webhooks }: KubeObject,
  { leaf, own }: { readonly leaf: X509Certificate | undefined; readonly own: KubeObject | undefined },
): readonly Discovery[] {
  return recordsIn(webhooks).flatMap((webhook): readonly Discovery[] => {
    const object = `${kind} ${metadata.name}, ${textOf(webhook['name'])}`;
    const pem = Buffer.from(textOf(fieldOf(webhook, 'clientConfig', 'caBundle')), 'base64');
    const policy = textOf(webhook['failurePolicy']);
    const isOwn = own !== undefined && judges(webhook, own);
    return [
      ...(leaf === undefined || vouches(pem.toString('latin1'), leaf)
        ? []
        : [{ id: 'webhook-bundle', object, message: 'no certificate in it issued ours' } as const]),
      ...(policy === 'Fail'
        ? []
        : [{ id: 'webhook-fails-open', object, message: `failurePolicy is ${policy}` } as const]),
      ...(isOwn
        ? [{ id: 'webhook-own-namespace', object, message: `it judges ${own.metadata.name}` } as const]
        : []),
    ];
  });
}

function vouches(pem: string, leaf: X509Certificate): boolean {
  try {
    const authorities = (pem.match(certificatePattern) ?? []).map((one) => new X509Certificate(one));
    return authorities.some((authority) => leaf.verify(authority.publicKey));
  } catch {
    // What cannot be parsed vouches for nothing.
    return false;
  }
}

/** Of webhooks about objects in namespaces: whether it is called for those of this one. */
function judges(webhook: Readonly<Record<string, unknown>>, namespace: KubeObject): boolean {
  const isAboutPods = recordsIn(webhook['rules']).some((rule) =>
    ((rule['resources'] ?? []) as readonly unknown[]).includes('pods'),
  );
  const selector = (webhook['namespaceSelector'] ?? {}) as LabelSelector;
  return isAboutPods && matchesLabels(selector, namespace.metadata.labels ?? {});
}

function expiry(leaf: X509Certificate | undefined, { clock }: ClusterParts): readonly Discovery[] {
  if (leaf === undefined || leaf.validToDate.getTime() - clock.now().getTime() > dayMs) return [];
  const message = `it is good until ${leaf.validToDate.toISOString()}`;
  return [{ id: 'webhook-certificate-expiry', object: `Secret ${certificateSecret}`, message }];
}

/** Has the API server ask for a Pod that must be refused, without making it. */
async function judgeDoor(
  configurations: readonly KubeObject[],
  namespaces: readonly KubeObject[],
  parts: ClusterParts,
): Promise<readonly Discovery[]> {
  const validating = configurations.filter(({ kind }) => kind === 'ValidatingWebhookConfiguration');
  const webhooks = validating.flatMap((object) => recordsIn(object['webhooks']));
  const judged = namespaces.find(
    (namespace) =>
      namespace.metadata.deletionTimestamp === undefined &&
      webhooks.some((webhook) => judges(webhook, namespace)),
  );
  if (validating.length === 0) return [];
  if (judged === undefined) {
    const message = 'the namespaceSelectors of the webhook match none';
    return [{ id: 'namespace-none-judged', object: 'namespaces', message }];
  }
  const { name } = judged.metadata;
  const refusal = await refusalOfPod(name, parts);
  const object = `Namespace ${name}`;
  if (refusal?.by === 'others') return [{ id: 'not-checked', object, message: refusal.message }];
  if (refusal === undefined) {
    return [{ id: 'webhook-admits-all', object, message: `a Pod of ${unknownImage} would be let in` }];
  }
  return refusal.message.includes('failed calling webhook')
    ? [{ id: 'webhook-unreachable', object, message: refusal.message }]
    : [];
}

async function refusalOfPod(
  namespace: string,
  { client, signal }: ClusterParts,
): Promise<{ readonly by: 'webhook' | 'others'; readonly message: string } | undefined> {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'chainwright-doctor', namespace },
    spec: {
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [{ name: 'nothing', image: unknownImage, securityContext: restricted }],
    },
  };
  try {
    await client.create(resourceTypes.pods, pod, {
      fieldManager: fieldManagers.own,
      dryRun: true,
      signal,
    });
    return undefined;
  } catch (error) {
    if (!isAppError(error) || error.kind === 'bug') throw error;
    const { message, code } = error;
    if (/admission webhook|failed calling webhook/.test(message)) return { by: 'webhook', message };
    if (code === 'ERR_KUBE_FORBIDDEN') return { by: 'others', message };
    throw error;
  }
}
