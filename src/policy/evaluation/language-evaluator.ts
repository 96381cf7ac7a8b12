import type { Log } from '../../model/log.ts';
import { parseCompilation, parseVerdict } from './engine-answers.ts';
import type { CompilationAnswer, PolicyVerdict } from './engine-answers.ts';
import { EngineThread } from './engine-thread.ts';
import { busyFault, closedFault } from './evaluation-faults.ts';
import type { EvaluationLimits } from './evaluation-limits.ts';

/** A policy's source and the number under which instances keep it. */
export interface LoadablePolicy {
  readonly id: number;
  readonly source: Uint8Array;
  /** What messages call it. */
  readonly object: string;
}

/** What one evaluation is asked. */
export interface Judgement {
  readonly document: Uint8Array;
  readonly strict: boolean;
  readonly nowMs: number;
}

/** What {@link LanguageEvaluator} needs. */
export interface LanguageEvaluatorParts {
  readonly loadModule: () => Promise<WebAssembly.Module>;
  readonly limits: EvaluationLimits;
  readonly log: Log;
}

/**
 * One policy language: a thread that is started at the first use, replaced after a fault or when it has grown, and a
 * bounded queue before it. A new thread is given each policy again when it is next asked for.
 */
export class LanguageEvaluator {
  readonly #parts: LanguageEvaluatorParts;
  #module: Promise<WebAssembly.Module> | undefined;
  #thread: EngineThread | undefined;
  /** Policies that the thread holds, the one used longest ago first. */
  readonly #loaded = new Map<number, LoadablePolicy>();
  #tail: Promise<void> = Promise.resolve();
  #queued = 0;
  #closed = false;

  constructor(parts: LanguageEvaluatorParts) {
    this.#parts = parts;
  }

  /** Compiles a policy in the evaluator, alone. */
  async compile(policy: LoadablePolicy, signal: AbortSignal): Promise<CompilationAnswer> {
    return await this.#inTurn(signal, async () => {
      const answer = await this.#load(await this.#ready(), policy);
      if (answer.fault !== undefined) this.#loaded.delete(policy.id);
      return answer;
    });
  }

  /** Judges a document, loading the policy first where the thread doesn't hold it. */
  async evaluate(
    policy: LoadablePolicy,
    { document, strict, nowMs }: Judgement,
    signal: AbortSignal,
  ): Promise<PolicyVerdict> {
    return await this.#inTurn(signal, async () => {
      const thread = await this.#ready();
      if (!this.#loaded.has(policy.id)) await this.#load(thread, policy);
      this.#touch(policy);
      const answer = await thread.ask(
        { kind: 'evaluate', policy: policy.id, document, strict, nowMs },
        `the evaluation of ${policy.object}`,
        this.#parts.limits.evaluateMs,
      );
      return parseVerdict(answer);
    });
  }

  /** Forgets a policy; harmless for one that isn't loaded. */
  async release(policy: LoadablePolicy): Promise<void> {
    if (this.#closed || !this.#loaded.has(policy.id)) return;
    await this.#inTurn(new AbortController().signal, () => this.#unload(policy));
  }

  /** Stops the thread after the job in work. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail;
    await this.#thread?.stop();
    this.#thread = undefined;
    this.#loaded.clear();
  }

  /** One job after the other. A caller that gives up while it waits costs nothing. */
  async #inTurn<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw closedFault();
    if (this.#queued >= this.#parts.limits.queued) throw busyFault(this.#queued);
    this.#queued += 1;
    const before = this.#tail;
    const turn = before.then(async () => {
      try {
        signal.throwIfAborted();
        return await work();
      } finally {
        this.#queued -= 1;
      }
    });
    this.#tail = turn.then(
      () => undefined,
      () => undefined,
    );
    return await unlessAborted(turn, signal);
  }

  async #ready(): Promise<EngineThread> {
    if (this.#closed) throw closedFault();
    const { limits, log } = this.#parts;
    const current = this.#thread;
    if (current !== undefined && !current.isDead) {
      if (current.memoryBytes <= limits.recycleBytes) return current;
      log.debug('policy evaluator replaced: it has grown', { bytes: current.memoryBytes });
      await current.stop();
    }
    this.#loaded.clear();
    this.#thread = undefined;
    this.#module ??= this.#parts.loadModule();
    try {
      this.#thread = await EngineThread.start(await this.#module, limits.startMs);
    } catch (cause) {
      // A module that could not be read is read again next time.
      this.#module = undefined;
      throw cause;
    }
    return this.#thread;
  }

  async #load(thread: EngineThread, policy: LoadablePolicy): Promise<CompilationAnswer> {
    const { limits } = this.#parts;
    const [oldest] = this.#loaded.values();
    if (oldest !== undefined && this.#loaded.size >= limits.loadedPolicies) await this.#unload(oldest);
    const answer = await thread.ask(
      { kind: 'compile', policy: policy.id, source: policy.source },
      `the compilation of ${policy.object}`,
      limits.compileMs,
    );
    this.#touch(policy);
    return parseCompilation(answer);
  }

  #touch(policy: LoadablePolicy): void {
    this.#loaded.delete(policy.id);
    this.#loaded.set(policy.id, policy);
  }

  async #unload(policy: LoadablePolicy): Promise<void> {
    this.#loaded.delete(policy.id);
    const thread = this.#thread;
    if (thread === undefined || thread.isDead) return;
    await thread.ask(
      { kind: 'release', policy: policy.id },
      `the release of ${policy.object}`,
      this.#parts.limits.evaluateMs,
    );
  }
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let listener: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    listener = () => {
      reject(signal.reason instanceof Error ? signal.reason : new Error('aborted', { cause: signal.reason }));
    };
    signal.addEventListener('abort', listener, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (listener !== undefined) signal.removeEventListener('abort', listener);
  }
}
