import { createHash } from 'node:crypto';
import type { Repository } from '../model/image-reference.ts';
import type { CallOptions } from './image-store.ts';

/** What a registry or its token service takes as proof. */
export type Credentials =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token for the token service (`identitytoken` of a docker config). */
  | { readonly kind: 'identity-token'; readonly token: string }
  /** A bearer token for the registry itself (`registrytoken` of a docker config). */
  | { readonly kind: 'registry-token'; readonly token: string };

/** Where credentials come from: docker configs, pull secrets, credential helpers. */
export interface CredentialSource {
  /** Credentials for the repository, most specific first; empty if there are none. */
  find(repository: Repository, options: CallOptions): Promise<readonly Credentials[]>;
}

/** A source without credentials. */
export const anonymousSource: CredentialSource = { find: () => Promise.resolve([]) };

/** Asks several sources in turn: those of the first one are tried first. */
export function chainCredentialSources(sources: readonly CredentialSource[]): CredentialSource {
  return {
    find: async (repository, options) => {
      const found: Credentials[] = [];
      for (const source of sources) found.push(...(await source.find(repository, options)));
      return found;
    },
  };
}

/** A name for credentials by which tokens can be shared without keeping the secret: SHA-256, hex. */
export function credentialsFingerprint(credentials: Credentials | undefined): string {
  if (credentials === undefined) return 'anonymous';
  const parts =
    credentials.kind === 'basic'
      ? [credentials.kind, credentials.username, credentials.password]
      : [credentials.kind, credentials.token];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
