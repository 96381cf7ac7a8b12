import { X509Certificate } from 'node:crypto';
import { eventReasons } from '../kube/events.ts';
import type { EventRecorder } from '../kube/events.ts';
import { fieldManagers } from '../kube/field-managers.ts';
import { findObject } from '../kube/find-object.ts';
import { Informer } from '../kube/informer.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject, KubeObjectDraft } from '../kube/kube-object.ts';
import { trimMetadata } from '../kube/object-trim.ts';
import { resourceTypes } from '../kube/resource-type.ts';
import { WorkQueue } from '../kube/work-queue.ts';
import type { WorkResult } from '../kube/work-queue.ts';
import type { Clock } from '../model/clock.ts';
import { isAppError, messageOf } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import type { ServingCertificate } from '../model/serving-certificate.ts';
import { planCertificate, startAnew, takeStep } from './serving-certificate-plan.ts';
import type { CertificateSubject } from './serving-certificate-plan.ts';
import { readCertificateSecret, toSecretData, toServingCertificate } from './serving-certificate-secret.ts';
import type { CertificateState } from './serving-certificate-secret.ts';

/** A certificate that may be replaced at any time. */
export interface CertificateSource {
  /** The one to show now; undefined until there is one. */
  current(): ServingCertificate | undefined;
  /** Calls `listener` with each new one, not with the current one. Gives what ends that. */
  onChange(listener: (certificate: ServingCertificate) => void): () => void;
}

/** What keeping the certificate takes. */
export interface ServingCertificateKeeperParts {
  readonly client: Pick<KubeClient, 'listPages' | 'watch' | 'get' | 'create' | 'replace'>;
  /** Our namespace, and the name of the Secret in it. */
  readonly secret: { readonly namespace: string; readonly name: string };
  /** DNS names and addresses under which the API server reaches us: `webhookNames(service)`, and more. */
  readonly names: readonly string[];
  readonly events: Pick<EventRecorder, 'record'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Numbers in [0, 1) for pauses; `Math.random` if absent. */
  readonly random?: () => number;
}

// The plan looks at the clock alone, so looking often costs nothing.
const recheckMs = 3_600_000;
const pauses = { baseMs: 1000, capMs: 60_000 };
const maxTries = 5;
const drainMs = 2000;

/** The names of a Service in its namespace, the way the API server calls a webhook first. */
export function webhookNames({
  name,
  namespace,
}: {
  readonly name: string;
  readonly namespace: string;
}): readonly string[] {
  return [`${name}.${namespace}.svc`, `${name}.${namespace}.svc.cluster.local`, `${name}.${namespace}`, name];
}

/**
 * Keeps the certificate of our HTTPS server in a Secret that all replicas share: made by the first that finds none, renewed
 * long before its end by whoever comes first (the Secret's version decides), its authority too, with an overlap. A Secret
 * that holds something else is written anew, and that is told by an Event.
 *
 *     const keeper = new ServingCertificateKeeper({ client, secret, names: webhookNames(service), ... });
 *     const running = keeper.run({ signal });
 *     keeper.onChange((certificate) => server.setSecureContext(...));
 *     ready: { certificate: () => keeper.findUnready() },
 *     metrics.certificateExpires(...): keeper.expiresAt()
 */
export class ServingCertificateKeeper implements CertificateSource {
  readonly #parts: ServingCertificateKeeperParts;
  readonly #subject: CertificateSubject;
  readonly #secrets: Informer<KubeObject>;
  readonly #queue: WorkQueue;
  readonly #listeners = new Set<(certificate: ServingCertificate) => void>();
  #current: ServingCertificate | undefined;
  #fault: string | undefined;

  constructor(parts: ServingCertificateKeeperParts) {
    const { client, secret, names, clock, log, random } = parts;
    this.#parts = parts;
    this.#subject = { name: secret.name, names };
    this.#secrets = new Informer({
      client,
      type: resourceTypes.secrets,
      namespaces: [secret.namespace],
      fieldSelector: `metadata.name=${secret.name}`,
      clock,
      log,
      transform: trimMetadata,
      onChange: () => this.#queue.retryNow(secret.name),
    });
    this.#queue = new WorkQueue({
      clock,
      concurrency: 1,
      ...pauses,
      ...(random === undefined ? {} : { random }),
      worker: (_name, { signal }) => this.#keep(signal),
      onFault: ({ error, failures, retryInMs }) => {
        this.#fault = messageOf(error);
        const code = isAppError(error) ? error.code : undefined;
        log.warn('the serving certificate could not be kept', {
          name: secret.name,
          code,
          error: this.#fault,
          attempt: failures,
          retryInMs,
        });
      },
    });
  }

  current(): ServingCertificate | undefined {
    return this.#current;
  }

  onChange(listener: (certificate: ServingCertificate) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** When the certificate that is shown ends. */
  expiresAt(): Date | undefined {
    return this.#current && new X509Certificate(this.#current.certificatePem).validToDate;
  }

  /** Why there is nothing to show yet. */
  findUnready(): string | undefined {
    if (this.#current !== undefined) return undefined;
    const why = this.#fault ?? this.#secrets.health().fault;
    return `there is no serving certificate yet${why === undefined ? '' : `: ${why}`}`;
  }

  /** Keeps it until `signal` aborts. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const running = this.#secrets.run({ signal });
    await Promise.race([running, this.#secrets.synced]);
    this.#queue.add(this.#parts.secret.name, 'new');
    await running;
    await this.#queue.close({ deadlineMs: drainMs });
  }

  async #keep(signal: AbortSignal): Promise<WorkResult> {
    if (!this.#secrets.health().isSynced) return {};
    const { namespace, name } = this.#parts.secret;
    let secret = this.#secrets.find(`${namespace}/${name}`);
    for (let tries = 1; ; tries += 1) {
      try {
        this.#show(await this.#bringForward(secret, signal));
        return { requeueAfterMs: recheckMs };
      } catch (error) {
        const isRace = isAppError(error) && error.code === 'ERR_KUBE_CONFLICT';
        if (!isRace || tries === maxTries) throw error;
        secret = await this.#find(signal);
      }
    }
  }

  /** What the Secret should hold now, once it does. Throws ERR_KUBE_CONFLICT if another replica wrote meanwhile. */
  async #bringForward(secret: KubeObject | undefined, signal: AbortSignal): Promise<CertificateState> {
    const now = this.#parts.clock.now();
    if (secret === undefined) {
      const state = await startAnew(this.#subject, now);
      await this.#write(undefined, state, signal);
      return state;
    }
    const read = readCertificateSecret(secret);
    if ('why' in read) {
      const state = await startAnew(this.#subject, now);
      await this.#write(secret, state, signal);
      this.#tellTakeover(secret, read.why);
      return state;
    }
    const step = planCertificate(read.state, this.#subject, now);
    if (step === 'keep') return read.state;
    const state = await takeStep(step, read.state, { subject: this.#subject, now });
    await this.#write(secret, state, signal);
    this.#parts.log.info('the serving certificate was brought forward', { name: secret.metadata.name, step });
    return state;
  }

  async #write(secret: KubeObject | undefined, state: CertificateState, signal: AbortSignal): Promise<void> {
    const { client, secret: ref } = this.#parts;
    const data = toSecretData(state);
    const options = { fieldManager: fieldManagers.own, view: 'metadata', signal } as const;
    if (secret === undefined) {
      const draft: KubeObjectDraft = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { ...ref, labels: { 'app.kubernetes.io/part-of': 'chainwright' } },
        type: 'kubernetes.io/tls',
        data,
      };
      await client.create(resourceTypes.secrets, draft, options);
      return;
    }
    // Its type cannot be changed; what else was in it may be needed by that type.
    const kept = secret['data'] as Record<string, unknown> | undefined;
    await client.replace(resourceTypes.secrets, { ...secret, data: { ...kept, ...data } }, options);
  }

  #find(signal: AbortSignal): Promise<KubeObject | undefined> {
    return findObject(this.#parts.client, resourceTypes.secrets, this.#parts.secret, { signal });
  }

  #show(state: CertificateState): void {
    this.#fault = undefined;
    const next = toServingCertificate(state);
    const before = this.#current;
    if (before?.certificatePem === next.certificatePem && before.authorityPem === next.authorityPem) return;
    this.#current = next;
    for (const listener of this.#listeners) this.#call(listener, next);
  }

  #call(listener: (certificate: ServingCertificate) => void, next: ServingCertificate): void {
    try {
      listener(next);
    } catch (error) {
      this.#parts.log.error('a new serving certificate was not taken over', { error: messageOf(error) });
    }
  }

  #tellTakeover(secret: KubeObject, why: string): void {
    const { events, log } = this.#parts;
    const message = `the Secret held no usable serving certificate and was written anew: ${why}`;
    events.record({ about: secret, type: 'Warning', reason: eventReasons.certificateReplaced, message });
    log.warn('a Secret was taken over for the serving certificate', {
      name: secret.metadata.name,
      notice: why,
    });
  }
}
