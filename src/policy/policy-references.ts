import type { TrustRootSource } from './authority-demands.ts';

/** What policies refer to, and who has it: the API server, or the files of a command. */
export interface PolicyReferences extends TrustRootSource {
  /** The one entry of a Secret in the controller's namespace. Throws ERR_POLICY_REFERENCE. */
  readonly findSecret: (name: string) => Promise<string>;
  /** An entry of a ConfigMap in the controller's namespace. Throws ERR_POLICY_REFERENCE. */
  readonly findConfigMapEntry: (name: string, key: string) => Promise<string>;
  /** The text at an https URL, of that SHA-256 in hex. Throws ERR_POLICY_REFERENCE, and passing faults. */
  readonly fetchRemotePolicy: (remote: RemotePolicy) => Promise<string>;
  /** The public key, PEM, of a key that a KMS holds. Throws ERR_KMS_URI, _KEY, and, passing, _REFUSED, _UNREACHABLE. */
  readonly findKmsKey: (uri: string) => Promise<string>;
}

/** A policy's text that lies elsewhere. */
export interface RemotePolicy {
  readonly url: string;
  readonly sha256sum: string;
}
