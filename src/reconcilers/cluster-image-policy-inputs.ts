import { hash } from 'node:crypto';
import { isAppError } from '../model/errors.ts';
import type { AppError } from '../model/errors.ts';
import type { PolicyReferences } from '../policy/policy-references.ts';
import type { TrustRoot } from '../signing/trust-root.ts';

/** Something that a policy is compiled from, besides its own text. */
export type PolicyInput =
  | { readonly kind: 'secret'; readonly name: string }
  | { readonly kind: 'configmap'; readonly name: string; readonly key: string }
  /** Without a name: the default one. */
  | { readonly kind: 'trust-root'; readonly name?: string }
  | { readonly kind: 'remote'; readonly url: string; readonly sha256sum: string }
  | { readonly kind: 'kms'; readonly uri: string };

/** An input, and what tells one content of it from another; nothing of the content itself. */
export interface ReadInput {
  readonly input: PolicyInput;
  readonly fingerprint: string;
}

/** True if every input still has the content that it was read with. Throws passing faults. */
export async function areUnchanged(
  inputs: readonly ReadInput[],
  references: PolicyReferences,
): Promise<boolean> {
  const same = await Promise.all(
    inputs.map(async ({ input, fingerprint }) => {
      try {
        return (await readFingerprint(input, references)) === fingerprint;
      } catch (error) {
        if (isPermanent(error)) return fingerprintOfFault(error) === fingerprint;
        throw error;
      }
    }),
  );
  return same.every((one) => one);
}

async function readFingerprint(input: PolicyInput, references: PolicyReferences): Promise<string> {
  switch (input.kind) {
    case 'secret':
      return fingerprintOf(await references.findSecret(input.name));
    case 'configmap':
      return fingerprintOf(await references.findConfigMapEntry(input.name, input.key));
    case 'trust-root':
      return fingerprintOf(await references.findTrustRoot(input.name));
    case 'remote':
      return fingerprintOf(await references.fetchRemotePolicy(input));
    case 'kms':
      return fingerprintOf(await references.findKmsKey(input.uri));
  }
}

interface Asked {
  readonly input: PolicyInput;
  readonly fingerprints: Promise<string>[];
}

/** Passes references on, and notes what a compilation asked for and was given. */
export class InputRecorder implements PolicyReferences {
  readonly #references: PolicyReferences;
  readonly #asked = new Map<string, Asked>();

  constructor(references: PolicyReferences) {
    this.#references = references;
  }

  /** What was asked for so far, answered or not. */
  get inputs(): readonly PolicyInput[] {
    return [...this.#asked.values()].map(({ input }) => input);
  }

  /** What was given, once all is answered; always in the same order. */
  async read(): Promise<readonly ReadInput[]> {
    const asked = [...this.#asked].sort(([a], [b]) => (a < b ? -1 : 1));
    return Promise.all(
      asked.map(async ([, { input, fingerprints }]) => {
        const given = new Set(await Promise.all(fingerprints));
        const [fingerprint = ''] = given;
        // What changed between two answers is no state that a later one could be equal to.
        return { input, fingerprint: given.size === 1 ? fingerprint : 'unsettled' };
      }),
    );
  }

  readonly findSecret: PolicyReferences['findSecret'] = (name) =>
    this.#note({ kind: 'secret', name }, this.#references.findSecret(name));

  readonly findConfigMapEntry: PolicyReferences['findConfigMapEntry'] = (name, key) =>
    this.#note({ kind: 'configmap', name, key }, this.#references.findConfigMapEntry(name, key));

  readonly findTrustRoot: PolicyReferences['findTrustRoot'] = (name) => {
    const input = { kind: 'trust-root', ...(name === undefined ? {} : { name }) } as const;
    return this.#note(input, this.#references.findTrustRoot(name));
  };

  readonly fetchRemotePolicy: PolicyReferences['fetchRemotePolicy'] = ({ url, sha256sum }) =>
    this.#note({ kind: 'remote', url, sha256sum }, this.#references.fetchRemotePolicy({ url, sha256sum }));

  readonly findKmsKey: PolicyReferences['findKmsKey'] = (uri) =>
    this.#note({ kind: 'kms', uri }, this.#references.findKmsKey(uri));

  #note<Answer extends string | TrustRoot | undefined>(
    input: PolicyInput,
    answer: Promise<Answer>,
  ): Promise<Answer> {
    const id = JSON.stringify(input);
    const asked = this.#asked.get(id) ?? { input, fingerprints: [] };
    this.#asked.set(id, asked);
    asked.fingerprints.push(answer.then(fingerprintOf, fingerprintOfFault));
    return answer;
  }
}

function fingerprintOf(answer: string | TrustRoot | undefined): string {
  if (typeof answer === 'string') return hash('sha256', answer, 'hex');
  return answer === undefined ? 'absent' : `trust root ${answer.version}`;
}

function fingerprintOfFault(error: unknown): string {
  return isPermanent(error) ? `fault ${error.code} ${error.message}` : 'unsettled';
}

function isPermanent(error: unknown): error is AppError {
  return isAppError(error) && error.kind === 'permanent';
}
