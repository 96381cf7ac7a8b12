/** Something that a check of trust material found. */
export interface TrustFinding {
  /** An error makes the material unusable, or not what it says; a warning is hardly meant. */
  readonly severity: 'error' | 'warning';
  /** Stable, for scripts. */
  readonly check: string;
  /** Where in the document, as a path: `tlogs[0]`. */
  readonly where: string;
  readonly message: string;
}

/** Collects what is found at one place. */
export interface FindingsAt {
  error(check: string, message: string): void;
  warning(check: string, message: string): void;
}

/** Writes down what is found at `where` into `findings`. */
export function findingsAt(findings: TrustFinding[], where: string): FindingsAt {
  return {
    error: (check, message) => void findings.push({ severity: 'error', check, where, message }),
    warning: (check, message) => void findings.push({ severity: 'warning', check, where, message }),
  };
}
