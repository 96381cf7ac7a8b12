import type { PolicyException } from './policy-exception.ts';

/** The exceptions that are honoured, for those who judge; written by whoever follows the cluster's objects. */
export class ExceptionRegister {
  readonly #byNamespace = new Map<string, Map<string, PolicyException>>();
  readonly #listeners = new Set<(namespace: string) => void>();

  /** Those of a namespace; whether one has ended yet is for the reader to see. */
  of(namespace: string): readonly PolicyException[] {
    return [...(this.#byNamespace.get(namespace)?.values() ?? [])];
  }

  put(exception: PolicyException): void {
    const { namespace, name } = exception;
    const known = this.#byNamespace.get(namespace) ?? new Map<string, PolicyException>();
    this.#byNamespace.set(namespace, known.set(name, exception));
    this.#tell(namespace);
  }

  remove(namespace: string, name: string): void {
    const known = this.#byNamespace.get(namespace);
    if (known?.delete(name) !== true) return;
    if (known.size === 0) this.#byNamespace.delete(namespace);
    this.#tell(namespace);
  }

  /** Has `listener` called after each change of a namespace; gives what ends that. */
  onChange(listener: (namespace: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(namespace: string): void {
    for (const listener of this.#listeners) listener(namespace);
  }
}
