/** Upper bounds for what comes from outside; each with the reason for its size. */
export const limits = {
  /** The distribution specification asks registries to take manifests of at least 4 MiB; larger ones are refused. */
  manifestBytes: 4 * 1024 * 1024,
  /** A platform list longer than this is no real image index. */
  indexManifests: 256,
  /** An attestation layer: the largest BOMs measured are below 30 MiB; with base64 and room to grow. */
  envelopeBytes: 64 * 1024 * 1024,
  /** Layers of one signature or attestation tag, as cosign bounds them. */
  attachmentLayers: 1000,
  /** Referrers listed for one digest, over all pages. */
  referrers: 1000,
  /** JSON answers of token services, Fulcio and the like. */
  jsonBytes: 1024 * 1024,
  /** An answer of a log: entries carry at most the envelope that they were made of. */
  logAnswerBytes: 128 * 1024 * 1024,
  /** A Kubernetes object: etcd takes 1.5 MiB, and the answer adds managed fields. */
  kubernetesObjectBytes: 8 * 1024 * 1024,
  /** A page of a Kubernetes list: 500 objects near the largest size seen in practice. */
  kubernetesListBytes: 512 * 1024 * 1024,
} as const;

/** Upper bounds of waiting, in milliseconds. */
export const deadlines = {
  registryMs: 30_000,
  fulcioMs: 30_000,
  logMs: 60_000,
  kubernetesMs: 30_000,
} as const;
