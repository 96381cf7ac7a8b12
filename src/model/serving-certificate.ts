/** What an HTTPS server of ours shows its callers; all PEM. */
export interface ServingCertificate {
  /** The leaf, then what leads up to the authority. */
  readonly certificatePem: string;
  readonly keyPem: string;
  /** What callers have to trust: the `caBundle`, more than one certificate while one takes over from another. */
  readonly authorityPem: string;
}
