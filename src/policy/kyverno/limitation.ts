/** What a Kyverno policy cannot say as a ClusterImagePolicy does; docs/kyverno.md lists what each means. */
export type LimitationCode =
  | 'attestation-bundles'
  | 'attestation-choice'
  | 'ca-cert'
  | 'cue'
  | 'cue-number'
  | 'exceptions'
  | 'image-index'
  | 'image-volumes'
  | 'key-hash'
  | 'layout-precedence'
  | 'log-required'
  | 'log-search'
  | 'match'
  | 'permissive'
  | 'policy-broken'
  | 'predicate-type'
  | 'pull-secrets'
  | 'rego'
  | 'sct-required'
  | 'signature-bundles'
  | 'signature-format'
  | 'source-registry'
  | 'static-pass'
  | 'tags'
  | 'timestamp'
  | 'trust-root-fetch'
  | 'updates'
  | 'whole-policy';

/** One thing that an exported policy demands though the ClusterImagePolicy does not; it never demands less. */
export interface Limitation {
  readonly code: LimitationCode;
  /** The authority or attestation that is meant; absent: the policy. */
  readonly where?: string;
  readonly message: string;
}

/** Takes limitations as they are found. */
export type NoteLimitation = (limitation: Limitation) => void;

/** A limitation in one line. */
export function formatLimitation({ code, where, message }: Limitation): string {
  return `${code}: ${where === undefined ? '' : `${where}: `}${message}`;
}

/** Collects limitations; what was noted before is not noted again. */
export class Limitations {
  readonly #noted = new Map<string, Limitation>();

  readonly note: NoteLimitation = (limitation) => {
    this.#noted.set(formatLimitation(limitation), limitation);
  };

  list(): readonly Limitation[] {
    return [...this.#noted.values()];
  }
}
