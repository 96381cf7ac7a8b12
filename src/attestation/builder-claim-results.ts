import { isAppError } from '../model/errors.ts';
import type { AppError } from '../model/errors.ts';
import { formatRepository, parsePinnedImage } from '../model/image-reference.ts';
import type { PinnedImage } from '../model/image-reference.ts';
import type { TaskRun } from '../tekton/task-run.ts';
import { claimFault } from './builder-claim.ts';
import { fetchClaim } from './builder-claim-search.ts';
import type { ClaimFindings, ClaimSearch } from './builder-claim-search.ts';
import type { FoundClaim } from './builder-claim.ts';

const resultName = 'SBOM_BLOB_URL';
const maxResults = 32;

/**
 * The SBOMs that results `*SBOM_BLOB_URL` of a run name as `HOST/PATH@sha256:…` of the document's bytes (Konflux). A
 * result is text that a tenant wrote, and our credentials fetch what it names: only `repositories` are asked.
 */
export async function readResultClaims(
  run: TaskRun,
  repositories: ReadonlySet<string>,
  search: ClaimSearch,
): Promise<ClaimFindings> {
  const named = run.status.results.filter(
    ({ name, value }) => name.endsWith(resultName) && (typeof value !== 'string' || value.trim() !== ''),
  );
  const outcomes = await Promise.all(
    named.slice(0, maxResults).map(async ({ name, value }) => {
      try {
        return await readClaim(typeof value === 'string' ? value.trim() : '', name, repositories, search);
      } catch (error) {
        if (isAppError(error)) return error;
        throw error;
      }
    }),
  );
  return {
    claims: outcomes.filter((outcome): outcome is FoundClaim => !isAppError(outcome)),
    faults: outcomes.filter((outcome): outcome is AppError => isAppError(outcome)),
  };
}

async function readClaim(
  value: string,
  name: string,
  repositories: ReadonlySet<string>,
  search: ClaimSearch,
): Promise<FoundClaim> {
  const { repository, digest } = parseLocation(value, name);
  const location = `${formatRepository(repository)}@${digest}`;
  if (!repositories.has(formatRepository(repository))) {
    const why = `(result ${name}) lies in a repository that is neither an image's own nor allowed`;
    throw claimFault('ERR_SBOM_CLAIM_LOCATION', location, why);
  }
  const blob = await search.store.headBlob(repository, digest, search);
  if (blob === undefined) {
    throw claimFault('ERR_SBOM_CLAIM_ABSENT', location, `(result ${name}) is not in the registry`);
  }
  const bytes = await fetchClaim({ repository }, blob, { ...search, location });
  return { source: 'result', location, bytes, digest, isBound: false };
}

function parseLocation(value: string, name: string): PinnedImage {
  try {
    return parsePinnedImage(value.replace(/^(?:oci|docker):\/\//, ''));
  } catch (error) {
    if (!isAppError(error)) throw error;
    const why = `(result ${name}) is not written as HOST/PATH@sha256:HEX`;
    throw claimFault('ERR_SBOM_CLAIM_LOCATION', `"${value.slice(0, 200)}"`, why);
  }
}
