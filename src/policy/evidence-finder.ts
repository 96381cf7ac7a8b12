import { isDeepStrictEqual } from 'node:util';
import type { TransparencyLogEntry } from '@sigstore/bundle';
import type { Clock } from '../model/clock.ts';
import type { Digest } from '../model/digest.ts';
import { isAppError } from '../model/errors.ts';
import type { CertificateMemory } from '../signing/certificate-memory.ts';
import { verificationFault } from '../signing/verification-fault.ts';
import type { ExpectedSigner } from '../signing/verification.ts';
import type { LogProposal } from '../transparency/transparency-log.ts';
import { EvidenceVerifier } from './evidence-finding.ts';
import type { AuthorityDemands, Finding } from './evidence-finding.ts';
import type { EvidencePiece } from './image-evidence.ts';
import { certificateOf, proposalFor } from './log-proposal.ts';
import type { LogSearch } from './log-search.ts';

/** What finding takes. */
export interface EvidenceFinderParts {
  readonly digest: Digest;
  readonly clock: Clock;
  readonly certificates?: CertificateMemory | undefined;
  /** Asks a log; absent: what carries no log entry has none. */
  readonly searchLog?: LogSearch | undefined;
  readonly signal: AbortSignal;
}

interface Asked {
  readonly log: string;
  readonly proposal: LogProposal;
  readonly answer: Promise<readonly TransparencyLogEntry[]>;
}

/** Logs are asked about this many signatures of one image; its signers do not make more, and each costs a request. */
const maxSearches = 16;

/**
 * Verifies pieces of evidence about one image. Where an authority names a log and a piece that otherwise verifies carries no
 * entry, that log is asked; its answer counts as if it had lain in the piece, and is verified like that.
 */
export class EvidenceFinder {
  readonly #parts: EvidenceFinderParts;
  readonly #verifier: EvidenceVerifier;
  readonly #asked: Asked[] = [];

  constructor(parts: EvidenceFinderParts) {
    this.#parts = parts;
    this.#verifier = new EvidenceVerifier(parts.digest, parts.clock.now(), parts.certificates);
  }

  /** As {@link EvidenceVerifier.find}. A log that cannot be reached is a fault of the piece. */
  async find(piece: EvidencePiece, signer: ExpectedSigner, demands: AuthorityDemands): Promise<Finding> {
    const finding = this.#verifier.find(piece, signer, demands);
    const { searchLog } = this.#parts;
    if (searchLog === undefined || demands.searchLogs === undefined || !isUnlogged(finding)) return finding;
    const otherwise = this.#findWithoutLog(piece, signer, demands);
    if ('fault' in otherwise) return otherwise;
    const proposal = proposalFor(piece, signer);
    if (proposal === undefined) return finding;
    let last: Finding = finding;
    for (const log of demands.searchLogs) {
      last = await this.#findLogged({ piece, signer, demands }, log, this.#ask(searchLog, log, proposal));
      if (!('fault' in last)) return last;
    }
    return last;
  }

  /** What there is to say of a piece but for its log entry: a certificate is looked at as of its beginning. */
  #findWithoutLog(piece: EvidencePiece, signer: ExpectedSigner, demands: AuthorityDemands): Finding {
    const { digest, clock } = this.#parts;
    const certificate = piece.material && certificateOf(piece.material.bundle);
    const verifier = new EvidenceVerifier(digest, certificate?.validFromDate ?? clock.now());
    return verifier.find(piece, signer, { ...demands, witness: 'unsafe-none' });
  }

  async #findLogged(
    {
      piece,
      signer,
      demands,
    }: {
      readonly piece: EvidencePiece;
      readonly signer: ExpectedSigner;
      readonly demands: AuthorityDemands;
    },
    log: string,
    answer: Promise<readonly TransparencyLogEntry[]>,
  ): Promise<Finding> {
    try {
      const entries = await answer;
      const findings = entries.map((entry) => this.#verifier.find(withEntry(piece, entry), signer, demands));
      const found = findings.find((one) => !('fault' in one)) ?? findings[0];
      if (found !== undefined) return { ...found, piece };
      const none = `it has no entry in a transparency log, and ${log} has none for it`;
      return { piece, fault: verificationFault('ERR_VERIFY_LOG_MISSING', none) };
    } catch (error) {
      this.#parts.signal.throwIfAborted();
      if (isAppError(error)) return { piece, fault: error };
      throw error;
    }
  }

  /** Each log is asked once about a signature, however often it lies there and whoever wants to know. */
  #ask(search: LogSearch, log: string, proposal: LogProposal): Asked['answer'] {
    const before = this.#asked.find((one) => one.log === log && isDeepStrictEqual(one.proposal, proposal));
    if (before !== undefined) return before.answer;
    if (this.#asked.length >= maxSearches) {
      const many = `it has no entry in a transparency log, and ${log} is not asked about more than ${maxSearches} signatures`;
      return Promise.reject(verificationFault('ERR_VERIFY_LOG_MISSING', many));
    }
    const answer = search(log, proposal, { signal: this.#parts.signal });
    this.#asked.push({ log, proposal, answer });
    return answer;
  }
}

function isUnlogged(finding: Finding): boolean {
  return 'fault' in finding && finding.fault.code === 'ERR_VERIFY_LOG_MISSING';
}

function withEntry(piece: EvidencePiece, entry: TransparencyLogEntry): EvidencePiece {
  const { material } = piece;
  if (material === undefined) return piece;
  const { bundle } = material;
  const verificationMaterial = { ...bundle.verificationMaterial, tlogEntries: [entry] };
  return { ...piece, material: { ...material, bundle: { ...bundle, verificationMaterial } } };
}
