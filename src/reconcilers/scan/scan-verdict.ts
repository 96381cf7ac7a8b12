import type { FaultKind } from '../../model/errors.ts';
import type { JsonObject } from '../../model/json-object.ts';
import type { Digest } from '../../model/digest.ts';
import type { ImageJudgement } from '../../policy/judgement.ts';
import type { WorkloadKind } from '../../policy/policy-matching.ts';
import type { PoliciesInForce } from '../../policy/policy-register.ts';
import type { PullAccount } from '../../policy/workload-images.ts';
import type { ScanOutcome } from '../../telemetry/scan-metrics.ts';

/** An image to be judged again. */
export interface ScannedImage {
  readonly image: string;
  readonly paths: readonly string[];
  /** The object that it is judged in. */
  readonly object: JsonObject;
  readonly workload: WorkloadKind;
  readonly account: PullAccount & { readonly namespace: string };
  readonly isPod: boolean;
  readonly inForce: PoliciesInForce;
  readonly signal: AbortSignal;
}

/** What judging an image gave: as at the door. */
export interface ImageFinding {
  readonly image: string;
  readonly digest?: Digest;
  readonly outcome: 'admitted' | 'warned' | 'denied';
  /** Set where nothing could be found out. */
  readonly faultKind?: FaultKind;
  /** For people; empty if it was admitted. */
  readonly brief: string;
  readonly decisions: readonly {
    readonly policy: string;
    readonly outcome: 'admitted' | 'warned' | 'denied';
    readonly reason: string;
  }[];
  readonly judgement?: ImageJudgement;
}

/** Judges an image as the door would now; never throws but for the signal. */
export type JudgeRunning = (asked: ScannedImage) => Promise<ImageFinding>;

/** A finding with what it is about. */
export interface PlacedFinding extends ImageFinding {
  /** Kind of the object that it was judged in. */
  readonly judgedAs: string;
  readonly digestFrom: 'spec' | 'status' | 'nobody' | 'registry';
  /** How many Pods run it; 0 for what only a template names. */
  readonly pods: number;
}

/** How an image stands: `error` where nothing could be found out. */
export function outcomeOf({ outcome, faultKind }: ImageFinding): ScanOutcome {
  return faultKind === undefined ? outcome : 'error';
}

const order: readonly ScanOutcome[] = ['denied', 'error', 'warned', 'admitted'];

/** The worst of several outcomes; `admitted` if there are none. */
export function worstOf(outcomes: readonly ScanOutcome[]): ScanOutcome {
  return order.find((one) => outcomes.includes(one)) ?? 'admitted';
}
