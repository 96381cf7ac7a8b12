import { splitDigest } from '../model/digest.ts';
import { isAppError } from '../model/errors.ts';
import type { AppError } from '../model/errors.ts';
import { formatRepository } from '../model/image-reference.ts';
import type { Repository } from '../model/image-reference.ts';
import type { Log } from '../model/log.ts';
import type { ImageStore } from '../registry/image-store.ts';
import { isUnreadableContent } from '../registry/registry-faults.ts';
import { statementTypes } from '../statements/statement.ts';
import type { Statement } from '../statements/statement.ts';
import { claimFault } from './builder-claim.ts';
import type { ClaimSource, FoundClaim } from './builder-claim.ts';
import { ClaimChecker } from './builder-claim-document.ts';
import { markClaim } from './builder-claim-mark.ts';
import { readResultClaims } from './builder-claim-results.ts';
import { searchClaims } from './builder-claim-search.ts';
import type { ClaimFindings } from './builder-claim-search.ts';
import type { PlannedStatement } from './plan-artifacts.ts';
import type { StatementRequest, StatementSource } from './plan-build.ts';
import type { ResolvedImage } from './resolve-subjects.ts';

/** What a {@link createBuilderSbomSource} works with. */
export interface BuilderSbomOptions {
  /** Repositories that a run's results may name, besides those of its images. */
  readonly repositories: readonly Repository[];
  /** Path of an SBOM in the image. */
  readonly file?: string | undefined;
  /** Bytes of one document. */
  readonly maxBytes: number;
  readonly log: Pick<Log, 'warn'>;
}

/** What the run or its image says itself must hold; beside an image everybody who can push leaves what they like. */
const vouched: ReadonlySet<ClaimSource> = new Set(['result', 'buildkit']);

/**
 * SBOMs that the build wrote itself, each relayed in an attestation of its own that is marked as the builder's claim;
 * never merged into what we observe. Each is checked: place, size, digest, format, and that it is about this image. One
 * that a result or BuildKit's index names and that fails is a fault; any other is left out with a warning.
 */
export function createBuilderSbomSource(
  options: BuilderSbomOptions,
  checker: ClaimChecker = new ClaimChecker(),
): StatementSource {
  return {
    makeStatements: async (images, store, request) => {
      const work = new ClaimRelay(images, options, checker);
      return work.run(store, request);
    },
  };
}

/** The relaying of one run's claims. */
class ClaimRelay {
  readonly #images: readonly ResolvedImage[];
  readonly #options: BuilderSbomOptions;
  readonly #checker: ClaimChecker;
  readonly #statements = new Map<string, PlannedStatement>();
  readonly #faults: AppError[] = [];

  constructor(images: readonly ResolvedImage[], options: BuilderSbomOptions, checker: ClaimChecker) {
    this.#images = images;
    this.#options = options;
    this.#checker = checker;
  }

  async run(
    store: ImageStore,
    { run, signal }: StatementRequest,
  ): Promise<Awaited<ReturnType<StatementSource['makeStatements']>>> {
    const { maxBytes, file, repositories } = this.#options;
    if (this.#images.length > 0) {
      const search = { store, maxBytes, file, signal };
      const allowed = new Set([...repositories, ...this.#images.map((image) => image.repository)]);
      const names = new Set([...allowed].map(formatRepository));
      const [ofResults, ...besides] = await Promise.all([
        readResultClaims(run, names, search),
        ...this.#images.map((image) => searchClaims(image, search)),
      ]);
      await this.#relay('result', ofResults);
      for (const findings of besides) {
        for (const [source, found] of findings) await this.#relay(source, found);
      }
    }
    return { statements: [...this.#statements.values()], faults: this.#faults };
  }

  async #relay(source: ClaimSource, { claims, faults }: ClaimFindings): Promise<void> {
    for (const fault of faults) this.#note(source, fault);
    for (const claim of claims) {
      try {
        const document = await this.#checker.check(claim);
        const image = this.#findSubject(claim, document.namedDigests);
        // The same document by two ways is one claim; Konflux names in a result what lies under the tag.
        const key = `${image.digest} ${claim.digest}`;
        if (this.#statements.has(key)) continue;
        const predicate = markClaim(document, claim);
        this.#statements.set(key, statementOf(image, document.predicateType, predicate));
      } catch (error) {
        if (!isAppError(error)) throw error;
        this.#note(source, error);
      }
    }
  }

  #findSubject({ image, isBound, location }: FoundClaim, named: readonly string[]): ResolvedImage {
    if (image !== undefined && isBound && named.length === 0) return image;
    const candidates = image === undefined ? this.#images : [image];
    const found = candidates.find(({ digest }) => named.includes(digest));
    if (found !== undefined) return found;
    const what = named.length === 0 ? 'names no image by digest' : `is about ${named.join(', ')}`;
    const wanted = candidates.map(({ digest }) => digest).join(' or ');
    throw claimFault('ERR_SBOM_CLAIM_SUBJECT', location, `${what}, not about ${wanted}`);
  }

  #note(source: ClaimSource, fault: AppError): void {
    // A registry that is away is asked again: otherwise two tries could attest different things.
    const isAway = fault.kind === 'passing' && !isUnreadableContent(fault);
    if (vouched.has(source) || isAway) {
      this.#faults.push(fault);
      return;
    }
    const { code, message, object } = fault;
    this.#options.log.warn('SBOM beside an image left out', { source, code, error: message, object });
  }
}

function statementOf(
  image: ResolvedImage,
  predicateType: string,
  predicate: Statement['predicate'],
): PlannedStatement {
  const subject = {
    name: formatRepository(image.repository),
    digest: { sha256: splitDigest(image.digest).hex },
  };
  return {
    kind: 'sbom',
    statement: { _type: statementTypes.v01, subject: [subject], predicateType, predicate },
    images: [image],
    isKeptOnRun: false,
  };
}
