import type { KubeApi, KubeObject } from '../../test/support/kube-api.ts';
import { runPath } from '../../test/support/task-runs.ts';

interface RunList {
  readonly items: readonly KubeObject[];
  readonly metadata: { readonly resourceVersion: string };
}

/** When a run was seen signed, or given up. */
export interface SeenMark {
  readonly mark: string;
  /** Milliseconds of `performance.now()`. */
  readonly atMs: number;
}

const markKey = 'chains.tekton.dev/signed';

/** Watches the runs of one namespace and notes when each is marked. */
export class SignedWatch implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #seen = new Map<string, SeenMark>();
  readonly #watching: Promise<void>;
  #wanted: { readonly count: number; readonly resolve: () => void } | undefined;

  private constructor(watching: (onRun: (run: KubeObject) => void, signal: AbortSignal) => Promise<void>) {
    this.#watching = watching((run) => {
      this.#note(run);
    }, this.#stop.signal);
    // It rejects when it is stopped.
    this.#watching.catch(() => undefined);
  }

  /** Starts watching a namespace; a watch that the server ends (it does so to slow readers) is taken up from a new list. */
  static open(api: KubeApi, namespace: string): SignedWatch {
    return new SignedWatch(async (onRun, signal) => {
      for (;;) {
        const { items, metadata } = await api.get<RunList>(runPath(namespace));
        for (const run of items) onRun(run);
        const path = `${runPath(namespace)}?watch=1&timeoutSeconds=3600&resourceVersion=${metadata.resourceVersion}`;
        for await (const { object } of api.watch(path, signal)) onRun(object);
      }
    });
  }

  /** Resolves once `count` runs are marked; throws if the watch ends before or `timeoutMs` are over. */
  async waitFor(count: number, timeoutMs: number): Promise<void> {
    const reached = new Promise<void>((resolve) => {
      this.#wanted = { count, resolve };
      this.#tell();
    });
    const ended = this.#watching.then(() => {
      throw new Error('the watch ended');
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`${this.#seen.size} of ${count} runs were signed within ${timeoutMs / 1000} s`));
      }, timeoutMs);
    });
    await Promise.race([reached, ended, late]).finally(() => {
      clearTimeout(timer);
    });
  }

  /** The mark of a run, if it was seen. */
  find(run: string): SeenMark | undefined {
    return this.#seen.get(run);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#watching.catch(() => undefined);
  }

  #note({ metadata }: KubeObject): void {
    const mark = metadata.annotations?.[markKey];
    if (mark === undefined || this.#seen.has(metadata.name)) return;
    this.#seen.set(metadata.name, { mark, atMs: performance.now() });
    this.#tell();
  }

  #tell(): void {
    if (this.#wanted !== undefined && this.#seen.size >= this.#wanted.count) this.#wanted.resolve();
  }
}
