import type { Digest } from '../model/digest.ts';
import { AppError } from '../model/errors.ts';
import type { ResolvedImage } from './resolve-subjects.ts';

/** Where a builder's SBOM was found. */
export type ClaimSource = 'result' | 'buildkit' | 'referrer' | 'tag' | 'file';

/** An SBOM that a build wrote itself, as it was found: nothing of its content is checked. */
export interface FoundClaim {
  readonly source: ClaimSource;
  /** `HOST/PATH@DIGEST` of the blob, or `HOST/PATH@DIGEST:/path` of the file in an image. */
  readonly location: string;
  /** The bytes that were fetched, and their digest. */
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  /** The image that it lies beside or in. Absent: the document has to name one of the run's images by digest. */
  readonly image?: ResolvedImage;
  /**
   * True where the source itself names the image by digest: a referrer's subject, BuildKit's statement, a file in it;
   * otherwise the document has to. */
  readonly isBound: boolean;
}

/** What is wrong with a builder's SBOM. */
export type ClaimFaultCode =
  | 'ERR_SBOM_CLAIM_LOCATION'
  | 'ERR_SBOM_CLAIM_ABSENT'
  | 'ERR_SBOM_CLAIM_TOO_LARGE'
  | 'ERR_SBOM_CLAIM_FORMAT'
  | 'ERR_SBOM_CLAIM_SUBJECT';

const remedies: Readonly<Record<ClaimFaultCode, string>> = {
  ERR_SBOM_CLAIM_LOCATION:
    "Push the SBOM to the image's own repository, or list its repository in sbom.builderClaimSources.",
  ERR_SBOM_CLAIM_ABSENT:
    'Push the SBOM before the task ends, and let SBOM_BLOB_URL name the digest of its bytes.',
  ERR_SBOM_CLAIM_TOO_LARGE:
    'Write a smaller SBOM, or raise sbom.maxBytes if the log takes entries of that size.',
  ERR_SBOM_CLAIM_FORMAT: 'Let the build write CycloneDX 1.4 to 1.7 or SPDX 2.2 or 2.3 as JSON.',
  ERR_SBOM_CLAIM_SUBJECT:
    'Let the SBOM name the image by its digest: version or purl of metadata.component, or of the described package.',
};

/** A fault of the builder's SBOM at `location`; permanent, as only another build mends it. */
export function claimFault(code: ClaimFaultCode, location: string, why: string): AppError {
  return new AppError(code, `the builder's SBOM ${location} ${why}`, {
    kind: 'permanent',
    object: location,
    remedy: remedies[code],
  });
}
