import type { Clock } from '../model/clock.ts';
import { isAppError, messageOf } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import { backOffMs } from '../model/back-off.ts';
import type { KubeClient } from './kube-client.ts';
import { kubeBounds } from './kube-bounds.ts';
import type { KubeObject } from './kube-object.ts';
import { qualifiedNameOf } from './resource-type.ts';
import type { ResourceType } from './resource-type.ts';

/** Who is told what a {@link Reflector} sees; nothing here may throw. */
interface ReflectorSink {
  listBegins(): void;
  listed(object: KubeObject): void;
  listEnded(): void;
  changed(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: KubeObject): void;
  /** A sign of life from the server: a list, an event, a bookmark. */
  heard(): void;
  failed(error: unknown): void;
}

/** What to mirror, and with what. */
export interface ReflectorOptions {
  readonly client: Pick<KubeClient, 'listPages' | 'watch'>;
  readonly type: ResourceType;
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly sink: ReflectorSink;
  readonly clock: Clock;
  readonly log: Log;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  /** Silence after which a watch is given up, in milliseconds. */
  readonly watchIdleMs?: number | undefined;
}

const pause = { baseMs: 800, capMs: 30_000 };
// a watch that ends sooner without a word is a fault of the server or of something in between
const shortestWatchMs = 1000;

/**
 * Mirrors one kind in one scope by list and watch, until aborted. No fault ends it: each one is told, then follows a
 * pause of 0.8 to 30 s. A broken watch goes on from the last version seen; one that is too old, or refused for good,
 * begins with a new list.
 */
export class Reflector {
  readonly #options: ReflectorOptions;
  #resourceVersion: string | undefined;
  #failures = 0;

  constructor(options: ReflectorOptions) {
    this.#options = options;
  }

  /** Runs until `signal` aborts, then resolves. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    while (!isAborted(signal)) {
      try {
        this.#resourceVersion ??= await this.#list(signal);
        await this.#watch(this.#resourceVersion, signal);
      } catch (error) {
        if (isAborted(signal)) return;
        await this.#recover(error, signal);
      }
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { client, type, namespace, labelSelector, fieldSelector, sink } = this.#options;
    let resourceVersion = '';
    sink.listBegins();
    for await (const page of client.listPages(type, {
      namespace,
      labelSelector,
      fieldSelector,
      signal,
    })) {
      for (const object of page.items) sink.listed(object);
      resourceVersion = page.resourceVersion;
      sink.heard();
    }
    sink.listEnded();
    return resourceVersion;
  }

  async #watch(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const { client, type, namespace, labelSelector, fieldSelector, sink, clock, random, watchIdleMs } =
      this.#options;
    const spread = kubeBounds.watchMaxSeconds - kubeBounds.watchMinSeconds;
    const startMs = clock.now().getTime();
    let isSilent = true;
    const events = client.watch(type, {
      namespace,
      labelSelector,
      fieldSelector,
      resourceVersion,
      timeoutSeconds: kubeBounds.watchMinSeconds + Math.floor(random() * spread),
      idleMs: watchIdleMs,
      signal,
    });
    for await (const event of events) {
      if (event.type !== 'BOOKMARK') sink.changed(event.type, event.object);
      this.#resourceVersion = event.resourceVersion;
      this.#failures = 0;
      isSilent = false;
      sink.heard();
    }
    if (isSilent && clock.now().getTime() - startMs < shortestWatchMs) {
      await this.#pause(undefined, signal);
    } else {
      sink.heard();
    }
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const { sink, log, type, namespace } = this.#options;
    sink.failed(error);
    if (needsList(error)) this.#resourceVersion = undefined;
    // The server is back, it only forgot: the pauses that its absence took are no reason for a long one now.
    if (isAppError(error) && error.code === 'ERR_KUBE_GONE') this.#failures = 0;
    log.warn('watching is interrupted', {
      resource: qualifiedNameOf(type),
      namespace,
      code: isAppError(error) ? error.code : undefined,
      error: messageOf(error),
      failures: this.#failures + 1,
      lists: this.#resourceVersion === undefined,
    });
    await this.#pause(isAppError(error) ? error.retryAfterMs : undefined, signal);
  }

  async #pause(atLeastMs: number | undefined, signal: AbortSignal): Promise<void> {
    this.#failures += 1;
    const ms = backOffMs(this.#failures, pause, this.#options.random);
    try {
      await this.#options.clock.sleep(Math.max(ms, atLeastMs ?? 0), signal);
    } catch {
      // the sleep ends by the abort, which the loop sees
    }
  }
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

// a passing fault of the way or the server leaves the version good; anything else casts doubt on it
function needsList(error: unknown): boolean {
  if (!isAppError(error)) return true;
  return error.code === 'ERR_KUBE_GONE' || error.code === 'ERR_KUBE_ANSWER' || error.kind !== 'passing';
}
