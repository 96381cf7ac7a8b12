/** What is wrong with fields of an object, as knative's FieldError has it: the form of policy-controller's refusals. */
export interface FieldFault {
  readonly message: string;
  /** Paths of the fields, e.g. `spec.authorities[0].key`. */
  readonly paths: readonly string[];
  readonly details?: string;
}

/** Fields that must be set and are not. */
export function missingField(...paths: readonly string[]): FieldFault {
  return { message: 'missing field(s)', paths };
}

/** Fields of which one must be set, and none is. */
export function missingOneOf(...paths: readonly string[]): FieldFault {
  return { message: 'expected exactly one, got neither', paths };
}

/** Fields of which one may be set, and several are. */
export function multipleOneOf(...paths: readonly string[]): FieldFault {
  return { message: 'expected exactly one, got both', paths };
}

/** Fields that must not be set there. */
export function disallowedFields(...paths: readonly string[]): FieldFault {
  return { message: 'must not set the field(s)', paths };
}

/** A field's value that is refused; `details` says why. */
export function invalidValue(value: string, path: string, details?: string): FieldFault {
  const message = `invalid value: ${value}`;
  return details === undefined ? { message, paths: [path] } : { message, paths: [path], details };
}

/**
 * The faults as policy-controller prints them: those of the same message and details in one line with all paths,
 * sorted; details on a line of their own.
 */
export function formatFieldFaults(faults: readonly FieldFault[]): string {
  const merged = Map.groupBy(faults, ({ message, details = '' }) => JSON.stringify([message, details]));
  const lines = [...merged.values()].map((alike) => {
    const [{ message, details }] = alike as [FieldFault, ...FieldFault[]];
    const paths = [...new Set(alike.flatMap((fault) => fault.paths))].sort();
    const line = `${message}: ${paths.join(', ')}`;
    return details === undefined ? line : `${line}\n${details}`;
  });
  return lines.sort().join('\n');
}
