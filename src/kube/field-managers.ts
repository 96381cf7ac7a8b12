/** Names under which our writes are noted in `managedFields`; the first two are Tekton Chains' own, so that a cluster moves over. */
export const fieldManagers = {
  /** Annotations of runs. */
  runs: 'tekton-chains-controller',
  /** Finalizers of runs. */
  finalizers: 'tekton-chains-controller/finalizers',
  /** Objects of our own kinds, and Events. */
  own: 'chainwright',
  /** What is noted on SigningRecords whose run is gone: apart, since it is no write of what was signed. */
  retention: 'chainwright-retention',
  /** What the webhook says in the status of an object that the controller keeps. */
  webhook: 'chainwright-webhook',
  /** Policies that are kept for Kyverno. */
  kyverno: 'chainwright-kyverno',
} as const;
