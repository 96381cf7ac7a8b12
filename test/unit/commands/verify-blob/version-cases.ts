import { byFixtureKey } from './blob-fixtures.ts';
import type { BundleJson } from './blob-fixtures.ts';
import { versions, withChain } from './mutations.ts';
import type { Case } from './mutations.ts';
import { flipped } from './planted.ts';
import type { Planted } from './planted.ts';

const keyless = 'keyless/trusted_root.json';
const kinds: readonly (readonly [name: string, planted: Planted])[] = [
  ['keyless, ECDSA P-256', {}],
  ['keyless, ECDSA P-384', { from: 'keyless/p384.json', rootFrom: keyless }],
  ['keyless, ECDSA P-521', { from: 'keyless/p521.json', rootFrom: keyless }],
  ['keyless, RSA', { from: 'keyless/rsa.json', rootFrom: keyless }],
  ['keyless, Ed25519, attestation', { from: 'keyless/ed25519-statement.json', rootFrom: keyless }],
  ['key, ECDSA P-256', { from: 'p256.json', signer: byFixtureKey('p256') }],
  ['key, ECDSA P-384', { from: 'p384.json', signer: byFixtureKey('p384') }],
  ['key, RSA', { from: 'rsa.json', signer: byFixtureKey('rsa') }],
  ['key, Ed25519', { from: 'ed25519.json', signer: byFixtureKey('ed25519'), isUnlogged: true }],
];

/** Writes a bundle as that version has it. */
const writers: Readonly<Record<string, (bundle: BundleJson) => void>> = {
  'v0.1': (bundle) => {
    withChain(bundle, versions.v01);
  },
  'v0.2': (bundle) => {
    withChain(bundle, versions.v02);
  },
  'v0.3': () => undefined,
};

function forge({ messageSignature, dsseEnvelope }: Partial<BundleJson>): void {
  if (messageSignature !== undefined) messageSignature.signature = flipped(messageSignature.signature);
  for (const signature of dsseEnvelope?.signatures ?? []) signature.sig = flipped(signature.sig);
}

const all = Object.entries(writers).flatMap(([version, write]) =>
  kinds.map(([kind, planted]) => ({ name: `${version}, ${kind}`, planted, write })),
);

/** Every version with every kind of key, with a certificate and without. */
export const everyVersion: readonly (readonly [name: string, planted: Planted])[] = all.map(
  ({ name, planted, write }) => [name, { ...planted, bundle: write }],
);

/** The same with a signature that was changed, and for another file. */
export const everyVersionForged: readonly Case[] = all.flatMap(
  ({ name, planted, write }): readonly Case[] => [
    [
      `${name}, a forged signature`,
      'ERR_VERIFY_SIGNATURE',
      {
        ...planted,
        bundle: (bundle) => {
          write(bundle);
          forge(bundle);
        },
      },
    ],
    [
      `${name}, another file`,
      // cosign states no digest with an Ed25519 key, so that the signature itself has to tell.
      planted.isUnlogged === true ? 'ERR_VERIFY_SIGNATURE' : 'ERR_VERIFY_PAYLOAD_DIGEST',
      { ...planted, bundle: write, blob: 'another.txt' },
    ],
  ],
);
