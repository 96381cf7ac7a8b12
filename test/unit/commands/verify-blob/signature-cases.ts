import { byFixtureKey, fixtureIdentity } from './blob-fixtures.ts';
import {
  another,
  another2,
  logsValid,
  proofAlone,
  replaceKey,
  signedBy,
  versions,
  vouchedAt,
  withChain,
} from './mutations.ts';
import type { Case } from './mutations.ts';
import { entryOf, flipped } from './planted.ts';
import type { Planted } from './planted.ts';

const { issuer, subject } = fixtureIdentity;
const rekor2 = 'rekor2.json';

/** What must be accepted. */
export const accepted: readonly (readonly [name: string, planted: Planted])[] = [
  ['v0.3 with Rekor v1', {}],
  ['v0.3 with Rekor v2 and a timestamp', { from: rekor2 }],
  [
    'Rekor v2 whose key was valid at the timestamp only',
    { from: rekor2, root: logsValid('2026-11-23T00:11:00Z', '2026-11-23T00:12:00Z') },
  ],
  ['a proof alone of a log whose key is valid now', proofAlone],
  ['v0.3 of an attestation', { from: 'statement.json' }],
  ['v0.2', { bundle: (bundle) => (bundle.mediaType = versions.v02) }],
  [
    'v0.1 with a certificate chain',
    {
      bundle: (bundle) => {
        withChain(bundle, versions.v01);
      },
    },
  ],
  [
    'v0.1 with no more than a promise',
    {
      bundle: (bundle) => {
        withChain(bundle, versions.v01);
        delete entryOf(bundle).inclusionProof;
      },
    },
  ],
  ['cosign’s own', { from: 'cosign.json' }],
  ['ECDSA P-256', { from: 'p256.json', signer: byFixtureKey('p256') }],
  ['ECDSA P-384', { from: 'p384.json', signer: byFixtureKey('p384') }],
  ['RSA', { from: 'rsa.json', signer: byFixtureKey('rsa') }],
  ['Ed25519', { from: 'ed25519.json', signer: byFixtureKey('ed25519'), isUnlogged: true }],
  ['an entry that our own log vouches for', vouchedAt((made) => made)],
];

/** Signatures of something else. */
export const wrongDigest: readonly Case[] = [
  ['another file', 'ERR_VERIFY_PAYLOAD_DIGEST', { blob: 'another.txt' }],
  ['another file, Rekor v2', 'ERR_VERIFY_PAYLOAD_DIGEST', { from: rekor2, blob: 'another.txt' }],
  ['another file, attestation', 'ERR_VERIFY_PAYLOAD_DIGEST', { from: 'statement.json', blob: 'another.txt' }],
  ['another file, cosign’s bundle', 'ERR_VERIFY_SIGNATURE', { from: 'cosign.json', blob: 'another.txt' }],
  [
    'another stated digest',
    'ERR_VERIFY_PAYLOAD_DIGEST',
    { bundle: ({ messageSignature: m }) => (m.messageDigest.digest = flipped(m.messageDigest.digest)) },
  ],
  [
    'another digest algorithm',
    'ERR_VERIFY_PAYLOAD_DIGEST',
    { bundle: ({ messageSignature: m }) => (m.messageDigest.algorithm = 'SHA2_512') },
  ],
  [
    'an unsupported digest algorithm',
    'ERR_VERIFY_MALFORMED',
    { bundle: ({ messageSignature: m }) => (m.messageDigest.algorithm = 'SHA3_256') },
  ],
  [
    'another file and its digest',
    'ERR_VERIFY_SIGNATURE',
    {
      blob: 'another.txt',
      bundle: (bundle) => (bundle.messageSignature.messageDigest = another().messageSignature.messageDigest),
    },
  ],
];

/** Signatures of somebody else, and of nobody. */
export const wrongSigner: readonly Case[] = [
  ['another subject', 'ERR_VERIFY_IDENTITY', { signer: signedBy({ subject: `${subject}-2` }) }],
  ['another issuer', 'ERR_VERIFY_IDENTITY', { signer: signedBy({ issuer: `${issuer}/` }) }],
  ['an expression that is not found', 'ERR_VERIFY_IDENTITY', { signer: signedBy({ pattern: '^tekton' }) }],
  [
    'another subject, cosign’s bundle',
    'ERR_VERIFY_IDENTITY',
    {
      from: 'cosign.json',
      signer: signedBy({ subject: 'nobody' }),
    },
  ],
  ['a key’s signature instead of a certificate’s', 'ERR_VERIFY_CHAIN', { from: 'p256.json' }],
  ['another key', 'ERR_VERIFY_SIGNATURE', { from: 'p256.json', signer: byFixtureKey('p384') }],
  ['another kind of key', 'ERR_VERIFY_SIGNATURE', { from: 'rsa.json', signer: byFixtureKey('ed25519') }],
  [
    'a forged ECDSA signature',
    'ERR_VERIFY_SIGNATURE',
    {
      bundle: ({ messageSignature: m }) => (m.signature = flipped(m.signature)),
    },
  ],
  [
    'a forged RSA signature',
    'ERR_VERIFY_SIGNATURE',
    {
      from: 'rsa.json',
      signer: byFixtureKey('rsa'),
      bundle: ({ messageSignature: m }) => (m.signature = flipped(m.signature)),
    },
  ],
  [
    'a forged Ed25519 signature',
    'ERR_VERIFY_SIGNATURE',
    {
      from: 'ed25519.json',
      signer: byFixtureKey('ed25519'),
      isUnlogged: true,
      bundle: ({ messageSignature: m }) => (m.signature = flipped(m.signature)),
    },
  ],
  [
    'an authority that is not trusted',
    'ERR_VERIFY_CHAIN',
    {
      root: (root) => {
        root.certificateAuthorities = root.certificateAuthorities.slice(1);
      },
    },
  ],
];

/** Signatures whose time does not hold. */
export const wrongTime: readonly Case[] = [
  ['an entry after the certificate’s end', 'ERR_VERIFY_EXPIRED', vouchedAt((made) => made + 3600)],
  ['an entry before the certificate’s begin', 'ERR_VERIFY_EXPIRED', vouchedAt((made) => made - 3600)],
  [
    'no timestamp, Rekor v2',
    'ERR_VERIFY_TIMESTAMP',
    {
      from: rekor2,
      bundle: ({ verificationMaterial: m }) => delete m.timestampVerificationData,
    },
  ],
  [
    'neither promise nor timestamp',
    'ERR_VERIFY_TIMESTAMP',
    {
      bundle: (bundle) => delete entryOf(bundle).inclusionPromise,
    },
  ],
  [
    'the timestamp of another signature',
    'ERR_VERIFY_TIMESTAMP',
    {
      from: rekor2,
      bundle: ({ verificationMaterial: m }) => {
        const other = another2().verificationMaterial.timestampVerificationData;
        if (other !== undefined) m.timestampVerificationData = other;
      },
    },
  ],
  [
    'a timestamp authority that is not trusted',
    'ERR_VERIFY_TIMESTAMP',
    {
      from: rekor2,
      root: (root) => (root.timestampAuthorities = []),
    },
  ],
  [
    'a forged timestamp',
    'ERR_VERIFY_TIMESTAMP',
    {
      from: rekor2,
      bundle: ({ verificationMaterial: { timestampVerificationData: data } }) => {
        for (const one of data?.rfc3161Timestamps ?? []) one.signedTimestamp = flipped(one.signedTimestamp);
      },
    },
  ],
  [
    'a timestamp that is none',
    'ERR_VERIFY_MALFORMED',
    {
      from: rekor2,
      bundle: ({ verificationMaterial: m }) =>
        (m.timestampVerificationData = { rfc3161Timestamps: [{ signedTimestamp: 'AAAA' }] }),
    },
  ],
];

/** Certificates that no trusted log saw. */
export const wrongCertificateLog: readonly Case[] = [
  ['no certificate log that is trusted', 'ERR_VERIFY_SCT', { root: (root) => (root.ctlogs = []) }],
  [
    'a certificate log of another key',
    'ERR_VERIFY_SCT',
    {
      root: (root) => {
        replaceKey(root.ctlogs);
      },
    },
  ],
  [
    'a certificate log of another id',
    'ERR_VERIFY_SCT',
    {
      root: (root) => {
        for (const log of root.ctlogs) log.logId.keyId = Buffer.alloc(32, 7).toString('base64');
      },
    },
  ],
  [
    'a certificate log whose time had ended',
    'ERR_VERIFY_SCT',
    {
      root: (root) => {
        for (const { publicKey } of root.ctlogs) {
          publicKey.validFor = { start: '2020-01-01T00:00:00Z', end: '2021-01-01T00:00:00Z' };
        }
      },
    },
  ],
];
