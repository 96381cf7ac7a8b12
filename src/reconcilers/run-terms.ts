import type { AttestationParts } from '../attestation/attestation-parts.ts';
import type { BuildPolicy, StatementSource } from '../attestation/plan-build.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import type { ImageStore } from '../registry/image-store.ts';
import type { TaskRun } from '../tekton/task-run.ts';
import type { Lease } from './shared-parts.ts';

/** What signing by certain settings takes; shared by all runs that are signed by them. */
export interface SigningSetup {
  readonly attestation: AttestationParts;
  readonly policy: BuildPolicy;
  readonly sources: readonly StatementSource[];
  /** The registry with the credentials of the run. */
  readonly storeFor: (run: TaskRun) => ImageStore;
}

/** Why a run is left unsigned on purpose. */
export interface SkipReason {
  /** The object that says so. */
  readonly by: string;
  readonly why: string;
}

/** What the settings and policies that hold now say of one run. They stay as they are while the run is in work. */
export interface RunTerms {
  readonly managedBy: readonly string[];
  /** How long the deletion of a run waits for its signature, in milliseconds. */
  readonly holdDeletionMs: number;
  /** The shortest pause before a run that failed is tried again, in milliseconds; absent: the controller's own. */
  readonly retryBaseMs?: number;
  /** Present: the run is not to be signed. */
  readonly skip?: SkipReason;
  /** What to sign with; to be given back. Throws what making it throws, and why the run has to wait. */
  readonly open: () => Promise<Lease<SigningSetup>>;
}

/** Where the terms of runs come from. */
export interface TermsSource {
  /** What holds for `run` now. Throws ERR_SETTINGS_NONE (passing). */
  termsOf(run: KubeObject): RunTerms;
}

/** The same terms for every run, where settings do not change while the process lives. */
export function fixedTerms(setup: SigningSetup, terms: Omit<RunTerms, 'open'>): TermsSource {
  const open = (): Promise<Lease<SigningSetup>> =>
    Promise.resolve({ part: setup, [Symbol.dispose]: () => undefined });
  return { termsOf: () => ({ ...terms, open }) };
}
