import type { KubeClient } from '../../kube/kube-client.ts';
import type { ResourceType } from '../../kube/resource-type.ts';
import { unlessGone } from '../../kube/unless-gone.ts';
import { reportLabels } from './report-object.ts';

/** What removing reports takes. */
export interface ReportRemovalParts {
  readonly client: Pick<KubeClient, 'listPages' | 'delete'>;
  /** Waited for before each removal. */
  readonly turn: (signal: AbortSignal) => Promise<void>;
}

const labelSelector = Object.entries(reportLabels)
  .map(([name, value]) => `${name}=${value}`)
  .join(',');

/** Removes all our reports of a kind, in one namespace or in all; none are there without the kind. Throws ERR_KUBE_*. */
export async function removeReports(
  { client, turn }: ReportRemovalParts,
  type: ResourceType,
  { namespace, signal }: { readonly namespace?: string; readonly signal: AbortSignal },
): Promise<void> {
  const pages = client.listPages(type, { namespace, labelSelector, view: 'metadata', signal });
  await unlessGone(async () => {
    for await (const { items } of pages) {
      for (const { metadata } of items) {
        await turn(signal);
        const ref = { namespace: metadata.namespace, name: metadata.name };
        await unlessGone(() => client.delete(type, ref, { signal }));
      }
    }
  });
}
