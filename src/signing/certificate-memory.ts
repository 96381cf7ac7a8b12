import { hash } from 'node:crypto';
import { X509Certificate } from '@sigstore/core';
import type { TrustMaterial } from '@sigstore/verify';
import { verifyCertificateChain } from '@sigstore/verify/dist/key/certificate.js';
import { verifySCTs } from '@sigstore/verify/dist/key/sct.js';
import { LRUCache } from 'lru-cache';
import { parseLeafCertificate } from './leaf-certificate.ts';
import type { LeafCertificate } from './leaf-certificate.ts';
import { translateFaults, verificationFault } from './verification-fault.ts';

/** What a certificate is trusted for. */
export interface CertificateDemands {
  /** Every time at which it was used. */
  readonly times: readonly Date[];
  /** Whether a trusted certificate log must have seen it. */
  readonly requireSct: boolean;
  readonly material: Pick<TrustMaterial, 'certificateAuthorities' | 'ctlogs'>;
}

/** A chain that was verified, good at any time within its bounds: nothing else in its verification depends on time. */
interface TrustedChain {
  readonly from: Date;
  readonly until: Date;
  /** Timestamps of trusted certificate logs in the certificate; all of them were verified. */
  readonly scts: number;
}

type Authority = TrustMaterial['certificateAuthorities'][number];

// A leaf takes about 5 KiB.
const maxCertificates = 512;
// One certificate may be good under authorities that follow each other.
const maxChainsOfLeaf = 4;

/**
 * Remembers what of certificates is the same for every signature made with them: their content, and, by trust root, their
 * chain and certificate timestamps. A build system signs much with each certificate. Failures are not remembered, nor
 * is anything about identities.
 */
export class CertificateMemory {
  readonly #max: number;
  readonly #leaves: LRUCache<string, LeafCertificate>;
  // By the very object: what is read anew from a trust root is trusted anew.
  readonly #roots = new WeakMap<object, LRUCache<string, readonly TrustedChain[]>>();

  /** `certificates`: how many are remembered, those used longest ago making room; for each trust root again as many. */
  constructor({ certificates = maxCertificates }: { readonly certificates?: number } = {}) {
    this.#max = certificates;
    this.#leaves = new LRUCache({ max: certificates });
  }

  /** As `parseLeafCertificate`. */
  parse(der: Uint8Array, options: { readonly issuerIsOptional: boolean }): LeafCertificate {
    const key = `${String(options.issuerIsOptional)} ${hash('sha256', der)}`;
    const leaf = this.#leaves.get(key) ?? parseLeafCertificate(der, options);
    this.#leaves.set(key, leaf);
    return leaf;
  }

  /**
   * Requires that an authority of the trust root issued the certificate, valid with all its chain at every time, and, if
   * asked, that a certificate log saw it. Throws ERR_VERIFY_CHAIN, ERR_VERIFY_EXPIRED, ERR_VERIFY_SCT.
   */
  requireTrusted({ der }: Pick<LeafCertificate, 'der'>, demands: CertificateDemands): void {
    const { times, requireSct, material } = demands;
    const known = this.#roots.get(material) ?? new LRUCache({ max: this.#max });
    this.#roots.set(material, known);
    const key = hash('sha256', der);
    for (const time of times) {
      const chains = known.get(key) ?? [];
      const remembered = chains.find(({ from, until }) => from <= time && time <= until);
      const chain = remembered ?? translateFaults(() => verifyChain(der, time, material));
      if (remembered === undefined) known.set(key, [chain, ...chains].slice(0, maxChainsOfLeaf));
      if (requireSct && chain.scts === 0) {
        throw verificationFault('ERR_VERIFY_SCT', 'the certificate has no timestamp of a certificate log');
      }
    }
  }
}

/** As @sigstore/verify's `verifyCertificate`, for one time. */
function verifyChain(
  der: Uint8Array,
  time: Date,
  { certificateAuthorities, ctlogs }: CertificateDemands['material'],
): TrustedChain {
  const leaf = X509Certificate.parse(Buffer.from(der));
  const { authority, path } = findPath(leaf, time, certificateAuthorities);
  const [own = leaf, issuer = own] = path;
  const scts = verifySCTs(own, issuer, ctlogs).map((logId) => logId.toString('hex'));
  if (new Set(scts).size < scts.length) {
    throw verificationFault('ERR_VERIFY_SCT', 'the certificate has two timestamps of one certificate log');
  }
  const starts = [authority.validFor.start, ...path.map(({ notBefore }) => notBefore)];
  const ends = [authority.validFor.end, ...path.map(({ notAfter }) => notAfter)];
  return {
    from: new Date(Math.max(...starts.map(Number))),
    until: new Date(Math.min(...ends.map(Number))),
    scts: scts.length,
  };
}

/** The first authority that is trusted at that time and issued the certificate. Throws what the last one's check throws. */
function findPath(
  leaf: X509Certificate,
  time: Date,
  authorities: readonly Authority[],
): { readonly authority: Authority; readonly path: readonly X509Certificate[] } {
  let fault: unknown = verificationFault('ERR_VERIFY_CHAIN', 'the trust root has no authority for that time');
  for (const authority of authorities) {
    if (!(authority.validFor.start <= time && time <= authority.validFor.end)) continue;
    try {
      return { authority, path: verifyCertificateChain(time, leaf, [authority]) };
    } catch (error) {
      fault = error;
    }
  }
  throw fault;
}
