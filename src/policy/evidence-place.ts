import type { Repository } from '../model/image-reference.ts';
import type { SigningAuthority } from './compiled-policy.ts';

/** Where an authority's evidence lies. */
export interface EvidencePlace {
  readonly repository: Repository;
  readonly tagPrefix: string | undefined;
  readonly pullSecrets: readonly string[] | undefined;
}

/** The place of an authority's evidence about an image of `repository`: beside it, unless `source` says otherwise. */
export function placeOf(authority: SigningAuthority, repository: Repository): EvidencePlace {
  const { registry = repository.registry, tagPrefix, pullSecrets } = authority;
  return { repository: authority.repository ?? { ...repository, registry }, tagPrefix, pullSecrets };
}
