import { generateKeyPairSync } from 'node:crypto';
import { exactly, matching } from '../../../../src/signing/certificate-identity.ts';
import type { ExpectedSigner } from '../../../../src/signing/verification.ts';
import { byFixtureKey, fixtureIdentity, jsonFixture } from './blob-fixtures.ts';
import type { BundleJson, RootJson } from './blob-fixtures.ts';
import { OwnLog } from './own-log.ts';
import { entryOf, proofOf } from './planted.ts';
import type { Planted } from './planted.ts';

/** A case: what it is called, the code that it must end with, and what is done. */
export type Case = readonly [name: string, code: string, planted: Planted];

/** Media types of the older versions. */
export const versions = {
  v01: 'application/vnd.dev.sigstore.bundle+json;version=0.1',
  v02: 'application/vnd.dev.sigstore.bundle+json;version=0.2',
} as const;

/** The bundle of the other file, logged in Rekor v1. */
export function another(): BundleJson {
  return jsonFixture('rekor1-another.json') as BundleJson;
}

/** The bundle of the other file, logged in Rekor v2. */
export function another2(): BundleJson {
  return jsonFixture('rekor2-another.json') as BundleJson;
}

/** Somebody as the only accepted signer; what is not given is as in the fixtures. */
export function signedBy(match: {
  readonly issuer?: string;
  readonly subject?: string;
  readonly pattern?: string;
}): ExpectedSigner {
  const name =
    match.pattern === undefined ? exactly(match.subject ?? fixtureIdentity.subject) : matching(match.pattern);
  return {
    kind: 'identity',
    anyOf: [{ issuer: exactly(match.issuer ?? fixtureIdentity.issuer), subject: name }],
  };
}

/** Writes the certificate as a chain, as versions before 0.3 do. */
export function withChain(bundle: BundleJson, mediaType: string): void {
  const { certificate } = bundle.verificationMaterial;
  if (certificate !== undefined) {
    bundle.verificationMaterial.x509CertificateChain = { certificates: [certificate] };
  }
  delete bundle.verificationMaterial.certificate;
  bundle.mediaType = mediaType;
}

/** An entry of another time, for which a trusted log vouches. */
export function vouchedAt(seconds: (made: number) => number): Pick<Planted, 'bundle' | 'root'> {
  const log = new OwnLog();
  return {
    bundle: (bundle) => {
      const entry = entryOf(bundle);
      const integratedTime = String(seconds(Number(entry.integratedTime)));
      bundle.verificationMaterial.tlogEntries = [log.vouch({ ...entry, integratedTime })];
    },
    root: (root) => {
      log.enter(root);
    },
  };
}

/** An entry of another body, for which a trusted log vouches. */
export function vouchedBody(change: (body: string) => string): Pick<Planted, 'bundle' | 'root'> {
  const log = new OwnLog();
  return {
    bundle: (bundle) => {
      const entry = entryOf(bundle);
      const body = change(Buffer.from(entry.canonicalizedBody, 'base64').toString('utf8'));
      const canonicalizedBody = Buffer.from(body).toString('base64');
      bundle.verificationMaterial.tlogEntries = [log.vouch({ ...entry, canonicalizedBody })];
    },
    root: (root) => {
      log.enter(root);
    },
  };
}

function newSpki(): string {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
}

/** Makes logs have other keys than those that signed. */
export function replaceKey(logs: RootJson['tlogs']): void {
  for (const log of logs) log.publicKey.rawBytes = newSpki();
}

/** Makes the keys of all logs valid for that time only. */
export function logsValid(start: string, end?: string): (root: RootJson) => void {
  return ({ tlogs }) => {
    for (const { publicKey } of tlogs) publicKey.validFor = { start, ...(end === undefined ? {} : { end }) };
  };
}

/** Signed with a key and logged, and nothing tells when. */
export const proofAlone: Planted = {
  from: 'p256.json',
  signer: byFixtureKey('p256'),
  bundle: (bundle) => delete entryOf(bundle).inclusionPromise,
};

/** The body of the first entry of a bundle. */
export function bodyOf(bundle: BundleJson): string {
  return Buffer.from(entryOf(bundle).canonicalizedBody, 'base64').toString('utf8');
}

/** Writes another checkpoint into a bundle. */
export function changeCheckpoint(bundle: BundleJson, change: (envelope: string) => string): void {
  const { checkpoint } = proofOf(bundle);
  if (checkpoint !== undefined) checkpoint.envelope = change(checkpoint.envelope);
}
