import type { PullAccount } from '../policy/workload-images.ts';
import type { ImageStore } from '../registry/image-store.ts';

/** As whom the Pods of one namespace pull. */
export interface WorkloadAccount extends PullAccount {
  readonly namespace: string;
}

/** The registries as workloads see them. Credentials are read when a registry asks for them, not before. */
export interface ImageStores {
  /** By the workload's pull secrets and ServiceAccount, then by the process's own credentials. */
  forWorkload(account: WorkloadAccount): ImageStore;
  /** By these Secrets of a namespace alone. Throws ERR_ADMISSION_PULL_SECRET for one that cannot be used. */
  forSecrets(
    namespace: string,
    names: readonly string[],
    options: { readonly signal: AbortSignal },
  ): Promise<ImageStore>;
  /** Why a Secret or account gave no credentials: for the message when a registry refuses. */
  problemsOf(account: WorkloadAccount, options: { readonly signal: AbortSignal }): Promise<readonly string[]>;
}

/** Differs where other credentials may be used. */
export function accountKey({ namespace, serviceAccount, pullSecrets }: WorkloadAccount): string {
  return JSON.stringify([namespace, serviceAccount, ...pullSecrets]);
}
