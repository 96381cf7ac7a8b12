import { fieldManagers } from '../kube/field-managers.ts';
import { Informer } from '../kube/informer.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { isRecord } from '../kube/kube-object.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { apiVersionOf, resourceTypes } from '../kube/resource-type.ts';
import type { ResourceType } from '../kube/resource-type.ts';
import { WorkQueue } from '../kube/work-queue.ts';
import type { Clock } from '../model/clock.ts';
import { isAppError, messageOf } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import type { CertificateSource } from './serving-certificate-keeper.ts';

/** What keeping the `caBundle` takes. */
export interface WebhookConfigurationKeeperParts {
  readonly client: Pick<KubeClient, 'listPages' | 'watch' | 'apply'>;
  /** Names of our ValidatingWebhookConfigurations and MutatingWebhookConfigurations. */
  readonly configurations: { readonly validating: readonly string[]; readonly mutating: readonly string[] };
  readonly certificates: CertificateSource;
  readonly clock: Clock;
  readonly log: Log;
  /** Numbers in [0, 1) for pauses; `Math.random` if absent. */
  readonly random?: () => number;
}

/** What is kept of a configuration. */
interface WatchedConfiguration extends KubeObject {
  readonly webhooks: readonly { readonly name: string; readonly caBundle: string }[];
}

interface Target {
  readonly type: ResourceType;
  readonly informer: Informer<WatchedConfiguration>;
}

const pauses = { baseMs: 1000, capMs: 60_000 };
const drainMs = 2000;

/**
 * Keeps `webhooks[*].clientConfig.caBundle` of our webhook configurations equal to what our certificate is to be verified
 * with, whoever changes it. It neither makes nor deletes configurations; those that are absent are served once they are
 * there. All webhooks of a configuration that is named count as ours.
 */
export class WebhookConfigurationKeeper {
  readonly #parts: WebhookConfigurationKeeperParts;
  readonly #targets = new Map<string, Target>();
  readonly #queue: WorkQueue;

  constructor(parts: WebhookConfigurationKeeperParts) {
    const { configurations, clock, log, random } = parts;
    this.#parts = parts;
    for (const name of configurations.validating) this.#aim(resourceTypes.validatingWebhooks, name);
    for (const name of configurations.mutating) this.#aim(resourceTypes.mutatingWebhooks, name);
    this.#queue = new WorkQueue({
      clock,
      concurrency: 1,
      ...pauses,
      ...(random === undefined ? {} : { random }),
      worker: async (key, { signal }) => {
        await this.#keep(key, signal);
        return {};
      },
      onFault: ({ key, error, failures, retryInMs }) => {
        log.warn('the caBundle of a webhook configuration could not be written', {
          name: key,
          code: isAppError(error) ? error.code : undefined,
          error: messageOf(error),
          attempt: failures,
          retryInMs,
        });
      },
    });
  }

  /** Keeps them until `signal` aborts. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const end = this.#parts.certificates.onChange(() => {
      for (const key of this.#targets.keys()) this.#queue.retryNow(key);
    });
    await Promise.all([...this.#targets.values()].map(({ informer }) => informer.run({ signal })));
    end();
    await this.#queue.close({ deadlineMs: drainMs });
  }

  /** Why the API server may not trust us: configurations that are there and hold another `caBundle`. */
  findUnready(): string | undefined {
    const wanted = this.#wanted();
    const other = [...this.#targets].find(([, target]) =>
      [...target.informer.values()].some(({ webhooks }) =>
        webhooks.some(({ caBundle }) => caBundle !== wanted),
      ),
    );
    return other === undefined ? undefined : `the caBundle of ${other[0]} is not written yet`;
  }

  #aim(type: ResourceType, name: string): void {
    const { client, clock, log } = this.#parts;
    const key = `${type.kind} ${name}`;
    const informer = new Informer({
      client,
      type,
      namespaces: [],
      fieldSelector: `metadata.name=${name}`,
      clock,
      log,
      transform: toWatchedConfiguration,
      onChange: ({ kind }) => kind !== 'deleted' && this.#queue.retryNow(key),
    });
    this.#targets.set(key, { type, informer });
  }

  #wanted(): string | undefined {
    const authorityPem = this.#parts.certificates.current()?.authorityPem;
    return authorityPem === undefined ? undefined : Buffer.from(authorityPem).toString('base64');
  }

  async #keep(key: string, signal: AbortSignal): Promise<void> {
    const target = this.#targets.get(key);
    const [configuration] = [...(target?.informer.values() ?? [])];
    const caBundle = this.#wanted();
    if (target === undefined || configuration === undefined || caBundle === undefined) return;
    if (configuration.webhooks.every((webhook) => webhook.caBundle === caBundle)) return;
    const { name, uid, resourceVersion } = configuration.metadata;
    const draft = {
      apiVersion: apiVersionOf(target.type),
      kind: target.type.kind,
      // Of this version alone: a webhook that was taken out meanwhile must not come back as a fragment.
      metadata: { name, uid, resourceVersion },
      webhooks: configuration.webhooks.map((webhook) => ({ name: webhook.name, clientConfig: { caBundle } })),
    };
    const options = { fieldManager: fieldManagers.own, force: true, view: 'metadata', signal } as const;
    try {
      await this.#parts.client.apply(target.type, draft, options);
    } catch (error) {
      // Somebody was faster; the watch brings what they wrote.
      if (isAppError(error) && error.code === 'ERR_KUBE_CONFLICT') return;
      throw error;
    }
    this.#parts.log.info('the caBundle of a webhook configuration was written', { name });
  }
}

function toWatchedConfiguration({ apiVersion, kind, metadata, ...rest }: KubeObject): WatchedConfiguration {
  const { name, uid = '', resourceVersion = '' } = metadata;
  const webhooks = Array.isArray(rest['webhooks']) ? (rest['webhooks'] as unknown[]) : [];
  return {
    apiVersion,
    kind,
    metadata: { name, uid, resourceVersion },
    webhooks: webhooks.filter(isRecord).map((webhook) => {
      const config = isRecord(webhook['clientConfig']) ? webhook['clientConfig'] : {};
      return { name: textOf(webhook['name']), caBundle: textOf(config['caBundle']) };
    }),
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
