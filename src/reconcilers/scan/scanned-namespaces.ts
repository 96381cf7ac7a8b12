import { isDeepStrictEqual } from 'node:util';
import { Informer } from '../../kube/informer.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import { resourceTypes } from '../../kube/resource-type.ts';
import type { Clock } from '../../model/clock.ts';
import type { Log } from '../../model/log.ts';
import type { LabelSelector } from '../../policy/policy-schema.ts';
import { enforcedSelectors, isSelected } from './enforced-namespaces.ts';

/** What following the namespaces takes. */
export interface ScannedNamespacesParts {
  readonly client: Pick<KubeClient, 'listPages' | 'watch'>;
  readonly scope: 'enforced' | 'all';
  /** Name of the ValidatingWebhookConfiguration whose selectors say which namespaces are enforced. */
  readonly webhookName: string;
  /** Whether a namespace is judged may have changed; undefined: any namespace. */
  readonly onChange: (namespace: string | undefined) => void;
  readonly clock: Clock;
  readonly log: Log;
}

interface WatchedConfiguration extends KubeObject {
  readonly selectors: readonly LabelSelector[];
}

/** Which namespaces the door stands before, by the very selectors that the API server calls it by. */
export class ScannedNamespaces {
  readonly #parts: ScannedNamespacesParts;
  readonly #namespaces: Informer<KubeObject>;
  readonly #configurations: Informer<WatchedConfiguration>;

  constructor(parts: ScannedNamespacesParts) {
    this.#parts = parts;
    const { client, webhookName, onChange, clock, log } = parts;
    const shared = { client, namespaces: [], clock, log };
    this.#namespaces = new Informer({
      ...shared,
      type: resourceTypes.namespaces,
      transform: toNamespace,
      onChange: (change) => {
        const { labels, name } = change.object.metadata;
        const before = change.kind === 'updated' ? change.previous.metadata.labels : undefined;
        if (!isDeepStrictEqual(labels, before)) onChange(name);
      },
    });
    this.#configurations = new Informer({
      ...shared,
      onChange: (change) => {
        const before = change.kind === 'updated' ? change.previous.selectors : undefined;
        if (!isDeepStrictEqual(change.object.selectors, before)) onChange(undefined);
      },
      type: resourceTypes.validatingWebhooks,
      fieldSelector: `metadata.name=${webhookName}`,
      transform: toConfiguration,
    });
  }

  /** Resolves once all namespaces are known. */
  get synced(): Promise<unknown> {
    return Promise.all([this.#namespaces.synced, this.#configurations.synced]);
  }

  async run(options: { readonly signal: AbortSignal }): Promise<void> {
    await Promise.all([this.#namespaces.run(options), this.#configurations.run(options)]);
  }

  /** True if what runs in that namespace is judged. */
  has(name: string): boolean {
    const namespace = this.#namespaces.find(name);
    if (namespace === undefined) return false;
    if (this.#parts.scope === 'all') return true;
    const [configuration] = this.#configurations.values();
    const selectors = configuration?.selectors ?? enforcedSelectors(undefined);
    return isSelected(selectors, namespace.metadata.labels);
  }
}

function toNamespace({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { name, uid, resourceVersion, labels = {} } = metadata;
  const identity = {
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
  return { apiVersion, kind, metadata: { name, ...identity, labels } };
}

function toConfiguration(object: KubeObject): WatchedConfiguration {
  return { ...toNamespace(object), selectors: enforcedSelectors(object) };
}
