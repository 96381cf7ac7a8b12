import { readBlobBundle } from '../../../../src/commands/verify-blob/blob-evidence.ts';
import { verifyBlob } from '../../../../src/commands/verify-blob/blob-verification.ts';
import { parseTrustRoot } from '../../../../src/signing/trust-root.ts';
import type { ExpectedSigner } from '../../../../src/signing/verification.ts';
import { codeOf } from '../../signing/codes.ts';
import { byFixtureIdentity, fixture, jsonFixture } from './blob-fixtures.ts';
import type { BundleJson, CosignJson, EntryJson, RootJson } from './blob-fixtures.ts';

/** What is done to a good bundle, its trust root or its file before it is verified. */
export interface Planted {
  /** Bundle that is taken; absent: Rekor v1's. */
  readonly from?: string;
  /** Trust root that is taken; absent: that of most bundles. */
  readonly rootFrom?: string;
  readonly bundle?: (bundle: BundleJson) => void;
  readonly cosign?: (bundle: CosignJson) => void;
  /** The bundle's text, changed beyond what JSON values can say. */
  readonly text?: (text: string) => string;
  readonly root?: (root: RootJson) => void;
  /** File that is verified; absent: the one that was signed. */
  readonly blob?: string;
  readonly signer?: ExpectedSigner;
  readonly isUnlogged?: boolean;
}

/** The code with which verifying what is planted ends, or `passed`. */
export function outcomeOf(planted: Planted): string {
  const { from = 'rekor1.json', bundle, cosign, text, blob: name = 'layout.txt' } = planted;
  const json = jsonFixture(from) as BundleJson & CosignJson;
  bundle?.(json);
  cosign?.(json);
  const written = JSON.stringify(json);
  const root = jsonFixture(planted.rootFrom ?? 'trusted_root.json') as RootJson;
  planted.root?.(root);
  const blob = fixture(name);
  return codeOf(() => {
    const evidence = readBlobBundle(Buffer.from(text?.(written) ?? written), blob);
    const demands = {
      trustRoot: parseTrustRoot(JSON.stringify(root)),
      witness: planted.isUnlogged === true ? ('unsafe-none' as const) : ('log' as const),
      requireSct: true,
      at: new Date('2026-11-23T00:00:00Z'),
    };
    verifyBlob(evidence, blob, { signer: planted.signer ?? byFixtureIdentity, demands });
  });
}

/** The first log entry of a bundle. */
export function entryOf(bundle: BundleJson): EntryJson {
  const [entry] = bundle.verificationMaterial.tlogEntries;
  if (entry === undefined) throw new Error('the bundle has no log entry');
  return entry;
}

/** The inclusion proof of a bundle. */
export function proofOf(bundle: BundleJson): NonNullable<EntryJson['inclusionProof']> {
  const { inclusionProof } = entryOf(bundle);
  if (inclusionProof === undefined) throw new Error('the bundle has no inclusion proof');
  return inclusionProof;
}

/** Base64 with one bit of its last byte but five turned, which leaves DER lengths as they are. */
export function flipped(base64: string): string {
  const bytes = Buffer.from(base64, 'base64');
  const at = bytes.length - 6;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes.toString('base64');
}
