import type { TrustRootSource } from './authority-demands.ts';

/** What policies refer to, and who has it: the API server, or the files of a command. */
export interface PolicyReferences extends TrustRootSource {
  /** The one entry of a Secret in the controller's namespace. Throws ERR_POLICY_REFERENCE. */
  readonly findSecret: (name: string) => Promise<string>;
  /** An entry of a ConfigMap in the controller's namespace. Throws ERR_POLICY_REFERENCE. */
  readonly findConfigMapEntry: (name: string, key: string) => Promise<string>;
}
