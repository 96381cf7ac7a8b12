import { eventReasons } from '../kube/events.ts';
import { dropLeftFinalizers } from '../kube/foreign-finalizers.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { resourceTypes } from '../kube/resource-type.ts';
import type { WorkResult } from '../kube/work-queue.ts';
import { withDeadline } from '../kube/deadline.ts';
import { fromHttpFault } from '../model/errors.ts';
import type { AppError } from '../model/errors.ts';
import { unusableTrustRoot } from '../policy/trust-root-fault.ts';
import type { TrustRoot } from '../signing/trust-root.ts';
import { sourceOf } from './cluster-image-policy-compilation.ts';
import type { ObjectStatus, ObjectVerdict } from './policy-object-status.ts';

/** Where the keys of one generation of a TrustRoot come from; of a TUF repository never an older state than before. */
export interface TrustRootOrigin {
  refresh(options: { readonly signal: AbortSignal }): Promise<TrustRoot>;
}

/** Opens what an object describes. Throws ERR_POLICY_INVALID. */
export type OpenTrustRoot = (object: KubeObject) => TrustRootOrigin;

/** What keeping trust roots takes. */
export interface TrustRootKeeperParts {
  readonly client: Pick<KubeClient, 'mergePatch'>;
  /** The TrustRoot object of that name as last seen. */
  readonly find: (name: string) => KubeObject | undefined;
  readonly open: OpenTrustRoot;
  readonly status: Pick<ObjectStatus, 'report'>;
  /** Told when something else is to be trusted under that name than before. */
  readonly onChange: (name: string) => void;
  readonly resyncMs: number;
}

interface Kept {
  readonly source: string;
  readonly origin?: TrustRootOrigin;
  readonly trustRoot?: TrustRoot;
  readonly fault?: AppError;
}

const deadlineMs = 90_000;
// What a TUF mirror holds is mended without a word to us.
const mendMs = 300_000;

/**
 * Keeps what TrustRoot objects describe: loaded when they change and every `resyncMs`. What was loaded last serves on while
 * a mirror is away, as long as the object says the same. What is not to be trusted any more, such as a TUF repository that
 * expired, and an object that says something else and is not loaded yet, is no trust root, and policies that name it deny.
 */
export class TrustRootKeeper {
  readonly #parts: TrustRootKeeperParts;
  readonly #kept = new Map<string, Kept>();

  constructor(parts: TrustRootKeeperParts) {
    this.#parts = parts;
  }

  /** The trust root of that name; undefined if there is no such object. Throws ERR_POLICY_REFERENCE if it is of no use. */
  find(name: string): TrustRoot | undefined {
    const kept = this.#kept.get(name);
    if (kept?.trustRoot !== undefined) return kept.trustRoot;
    if (kept === undefined && this.#parts.find(name) === undefined) return undefined;
    throw unusableTrustRoot(name, kept?.fault?.message ?? 'it is not loaded yet');
  }

  /** Brings one trust root to where its object says. Throws what made loading fail if another try may help. */
  async reconcile(name: string, { signal }: { readonly signal: AbortSignal }): Promise<WorkResult> {
    const { client, status, find, resyncMs } = this.#parts;
    const object = find(name);
    if (object === undefined) {
      if (this.#kept.delete(name)) this.#parts.onChange(name);
      return {};
    }
    const kept = await this.#load(object, signal);
    this.#put(name, kept);
    if (object.metadata.deletionTimestamp === undefined) {
      await status.report(object, verdictOn(kept), { signal });
    } else {
      await dropLeftFinalizers(client, resourceTypes.trustRoots, object, { signal });
    }
    if (kept.fault !== undefined && kept.fault.kind !== 'permanent') throw kept.fault;
    return { requeueAfterMs: kept.fault === undefined ? resyncMs : Math.min(mendMs, resyncMs) };
  }

  async #load(object: KubeObject, signal: AbortSignal): Promise<Kept> {
    const source = sourceOf(object);
    const known = this.#kept.get(object.metadata.name);
    const before = known?.source === source ? known : undefined;
    let origin = before?.origin;
    try {
      const opened = (origin ??= this.#parts.open(object));
      const trustRoot = await withDeadline(deadlineMs, signal, (bounded) =>
        opened.refresh({ signal: bounded }),
      );
      return { source, origin, trustRoot };
    } catch (error) {
      signal.throwIfAborted();
      const fault = fromHttpFault(error, 'ERR_TRUST_ROOT', `TrustRoot ${object.metadata.name}`);
      const trustRoot = fault.kind === 'permanent' ? undefined : before?.trustRoot;
      return {
        source,
        fault,
        ...(origin === undefined ? {} : { origin }),
        ...(trustRoot === undefined ? {} : { trustRoot }),
      };
    }
  }

  #put(name: string, kept: Kept): void {
    const before = this.#kept.get(name);
    this.#kept.set(name, kept);
    const isSame =
      before !== undefined &&
      before.trustRoot?.version === kept.trustRoot?.version &&
      (kept.trustRoot !== undefined || before.fault?.message === kept.fault?.message);
    if (!isSame) this.#parts.onChange(name);
  }
}

function verdictOn({ trustRoot, fault }: Kept): ObjectVerdict {
  if (fault === undefined) {
    return {
      findings: findings('True', 'Loaded', `in use, version ${trustRoot?.version ?? ''}`),
      event: { type: 'Normal', reason: eventReasons.trustRootLoaded },
    };
  }
  const why = `${fault.code}: ${fault.message}`;
  if (trustRoot !== undefined) {
    const message = `what was loaded last stays in use, version ${trustRoot.version}; ${why}`;
    return {
      findings: findings('True', 'Stale', message),
      event: { type: 'Warning', reason: eventReasons.trustRootStale },
    };
  }
  const reason = fault.kind === 'permanent' ? 'Invalid' : 'Unavailable';
  return {
    findings: findings('False', reason, why),
    event: { type: 'Warning', reason: eventReasons.trustRootBroken },
  };
}

/** `KeysInlined` is policy-controller's name for the same. */
function findings(status: 'True' | 'False', reason: string, message: string): ObjectVerdict['findings'] {
  return [
    { type: 'Ready', status, reason, message },
    { type: 'KeysInlined', status, reason, message },
  ];
}
