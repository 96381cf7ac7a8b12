import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { exactly } from '../../../../src/signing/certificate-identity.ts';
import type { ExpectedSigner } from '../../../../src/signing/verification.ts';

const folder = new URL('../../../fixtures/blobs/', import.meta.url);

/** A log entry in a bundle. */
export interface EntryJson {
  logIndex: string;
  logId: { keyId: string };
  kindVersion: { kind: string; version: string };
  integratedTime?: string;
  inclusionPromise?: { signedEntryTimestamp: string };
  inclusionProof?: {
    logIndex: string;
    rootHash: string;
    treeSize: string;
    hashes: string[];
    checkpoint?: { envelope: string };
  };
  canonicalizedBody: string;
}

/** A Sigstore bundle, as far as tests change it. */
export interface BundleJson {
  mediaType: string;
  verificationMaterial: {
    certificate?: { rawBytes: string };
    x509CertificateChain?: { certificates: { rawBytes: string }[] };
    publicKey?: { hint: string };
    tlogEntries: EntryJson[];
    timestampVerificationData?: { rfc3161Timestamps: { signedTimestamp: string }[] };
  };
  messageSignature: { messageDigest: { algorithm: string; digest: string }; signature: string };
  dsseEnvelope?: { payload: string; signatures: { sig: string }[] };
  [field: string]: unknown;
}

/** cosign's own bundle. */
export interface CosignJson {
  base64Signature: string;
  cert?: string;
  rekorBundle?: { SignedEntryTimestamp: string; Payload: Record<string, unknown> };
  [field: string]: unknown;
}

/** A log or authority of the trust root. */
interface Trusted {
  publicKey: { rawBytes: string; validFor?: object };
  logId: { keyId: string };
}

/** The trust root, as far as tests change it. */
export interface RootJson {
  tlogs: Trusted[];
  ctlogs: Trusted[];
  certificateAuthorities: { certChain: { certificates: { rawBytes: string }[] } }[];
  timestampAuthorities: unknown[];
}

/** A file of test/fixtures/blobs. */
export function fixture(name: string): Buffer {
  return readFileSync(new URL(name, folder));
}

/** A JSON file of test/fixtures/blobs; a copy of its own for each caller. */
export function jsonFixture(name: string): unknown {
  return JSON.parse(fixture(name).toString('utf8'));
}

/** Who signed the keyless fixtures. */
export const fixtureIdentity = {
  issuer: 'https://kubernetes.golems.internal',
  subject:
    'https://kubernetes.golems.internal/namespaces/tekton-chains/serviceaccounts/tekton-chains-controller',
};

/** The signer of the keyless fixtures as the only accepted one. */
export const byFixtureIdentity: ExpectedSigner = {
  kind: 'identity',
  anyOf: [{ issuer: exactly(fixtureIdentity.issuer), subject: exactly(fixtureIdentity.subject) }],
};

/** The holder of a fixture's key as the only accepted one. */
export function byFixtureKey(name: string): ExpectedSigner {
  return { kind: 'key', publicKey: createPublicKey(fixture(`${name}.pub`)) };
}
