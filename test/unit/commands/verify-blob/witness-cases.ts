import { jsonFixture } from './blob-fixtures.ts';
import type { BundleJson, CosignJson } from './blob-fixtures.ts';
import {
  another,
  another2,
  bodyOf,
  changeCheckpoint,
  logsValid,
  proofAlone,
  replaceKey,
  versions,
  vouchedBody,
  withChain,
} from './mutations.ts';
import type { Case } from './mutations.ts';
import { entryOf, flipped, proofOf } from './planted.ts';

const rekor2 = 'rekor2.json';

/** Promises of a log that do not hold. */
export const wrongPromise: readonly Case[] = [
  [
    'a forged promise',
    'ERR_VERIFY_SET',
    {
      bundle: (bundle) => {
        const { inclusionPromise: promise } = entryOf(bundle);
        if (promise !== undefined) promise.signedEntryTimestamp = flipped(promise.signedEntryTimestamp);
      },
    },
  ],
  [
    'the promise of another entry',
    'ERR_VERIFY_SET',
    {
      bundle: (bundle) =>
        Object.assign(entryOf(bundle), { inclusionPromise: entryOf(another()).inclusionPromise }),
    },
  ],
  [
    'another index than promised',
    'ERR_VERIFY_SET',
    { bundle: (bundle) => (entryOf(bundle).logIndex = '4711') },
  ],
  [
    'another time than promised',
    'ERR_VERIFY_SET',
    {
      bundle: (bundle) =>
        (entryOf(bundle).integratedTime = String(Number(entryOf(bundle).integratedTime) + 1)),
    },
  ],
  [
    'a log of another key',
    'ERR_VERIFY_SET',
    {
      root: (root) => {
        replaceKey(root.tlogs);
      },
    },
  ],
  [
    'a log whose key had ended',
    'ERR_VERIFY_SET',
    { root: logsValid('2019-01-01T00:00:00Z', '2020-01-01T00:00:00Z') },
  ],
  [
    'no promise in v0.1',
    'ERR_VERIFY_SET',
    {
      bundle: (bundle) => {
        withChain(bundle, versions.v01);
        delete entryOf(bundle).inclusionPromise;
      },
    },
  ],
  [
    'a forged promise, cosign’s bundle',
    'ERR_VERIFY_SET',
    {
      from: 'cosign.json',
      cosign: ({ rekorBundle: b }) => b && (b.SignedEntryTimestamp = flipped(b.SignedEntryTimestamp)),
    },
  ],
  [
    'another index than promised, cosign’s bundle',
    'ERR_VERIFY_SET',
    {
      from: 'cosign.json',
      cosign: ({ rekorBundle: b }) => b && (b.Payload['logIndex'] = 4711),
    },
  ],
];

/** Proofs and checkpoints of a log that do not hold. */
export const wrongProof: readonly Case[] = [
  [
    'no inclusion proof',
    'ERR_VERIFY_INCLUSION_PROOF',
    { bundle: (bundle) => delete entryOf(bundle).inclusionProof },
  ],
  [
    'a forged hash',
    'ERR_VERIFY_INCLUSION_PROOF',
    {
      bundle: (bundle) => (proofOf(bundle).hashes[0] = flipped(proofOf(bundle).hashes[0] ?? '')),
    },
  ],
  ['a hash too few', 'ERR_VERIFY_INCLUSION_PROOF', { bundle: (bundle) => proofOf(bundle).hashes.pop() }],
  [
    'another place in the tree',
    'ERR_VERIFY_INCLUSION_PROOF',
    {
      bundle: (bundle) => (proofOf(bundle).logIndex = '1'),
    },
  ],
  [
    'a forged hash, Rekor v2',
    'ERR_VERIFY_INCLUSION_PROOF',
    {
      from: rekor2,
      bundle: (bundle) => (proofOf(bundle).hashes[0] = flipped(proofOf(bundle).hashes[0] ?? '')),
    },
  ],
  [
    'another root than the checkpoint’s',
    'ERR_VERIFY_INCLUSION_PROOF',
    {
      bundle: (bundle) => (proofOf(bundle).rootHash = flipped(proofOf(bundle).rootHash)),
    },
  ],
  [
    'another size than the checkpoint’s',
    'ERR_VERIFY_INCLUSION_PROOF',
    {
      from: rekor2,
      bundle: (bundle) => (proofOf(bundle).treeSize += '0'),
    },
  ],
  ['no checkpoint', 'ERR_VERIFY_CHECKPOINT', { bundle: (bundle) => delete proofOf(bundle).checkpoint }],
  [
    'no checkpoint, Rekor v2',
    'ERR_VERIFY_CHECKPOINT',
    {
      from: rekor2,
      bundle: (bundle) => delete proofOf(bundle).checkpoint,
    },
  ],
  [
    'a checkpoint of another size',
    'ERR_VERIFY_CHECKPOINT',
    {
      bundle: (bundle) => {
        changeCheckpoint(bundle, (note) => note.replace(/\n\d+\n/, '\n99999\n'));
      },
    },
  ],
  [
    'a forged signature of the checkpoint',
    'ERR_VERIFY_CHECKPOINT',
    {
      bundle: (bundle) => {
        changeCheckpoint(bundle, (note) => note.replace(/\S+\n$/, (line) => `${flipped(line.trim())}\n`));
      },
    },
  ],
  [
    'the checkpoint of another log',
    'ERR_VERIFY_CHECKPOINT',
    {
      bundle: (bundle) => {
        changeCheckpoint(bundle, () => proofOf(jsonFixture(rekor2) as BundleJson).checkpoint?.envelope ?? '');
      },
    },
  ],
  [
    'another index than the proof’s, Rekor v2',
    'ERR_VERIFY_INCLUSION_PROOF',
    { from: rekor2, bundle: (bundle) => (entryOf(bundle).logIndex = '4711') },
  ],
  [
    'a log whose key had ended, Rekor v2',
    'ERR_VERIFY_CHECKPOINT',
    { from: rekor2, root: logsValid('2019-01-01T00:00:00Z', '2020-01-01T00:00:00Z') },
  ],
  [
    'a log whose key was yet to come, Rekor v2',
    'ERR_VERIFY_CHECKPOINT',
    { from: rekor2, root: logsValid('2039-01-01T00:00:00Z') },
  ],
  [
    'a log whose key had ended, a proof alone',
    'ERR_VERIFY_CHECKPOINT',
    { ...proofAlone, root: logsValid('2019-01-01T00:00:00Z', '2020-01-01T00:00:00Z') },
  ],
  [
    'a checkpoint that is no signed note',
    'ERR_VERIFY_CHECKPOINT',
    {
      bundle: (bundle) => {
        changeCheckpoint(bundle, () => 'checked');
      },
    },
  ],
];

/** Entries of something else. */
export const mixedUp: readonly Case[] = [
  [
    'no log entry',
    'ERR_VERIFY_LOG_MISSING',
    {
      bundle: ({ verificationMaterial: m }) => (m.tlogEntries = []),
    },
  ],
  [
    'no log entry, cosign’s bundle',
    'ERR_VERIFY_LOG_MISSING',
    {
      from: 'cosign.json',
      cosign: (bundle) => delete bundle.rekorBundle,
    },
  ],
  [
    'the entry of another signature',
    'ERR_VERIFY_LOG_ENTRY',
    {
      bundle: ({ verificationMaterial: m }) => (m.tlogEntries = another().verificationMaterial.tlogEntries),
    },
  ],
  [
    'the entry of another signature beside its own',
    'ERR_VERIFY_LOG_ENTRY',
    {
      bundle: ({ verificationMaterial: m }) =>
        m.tlogEntries.push(...another().verificationMaterial.tlogEntries),
    },
  ],
  [
    'the entry of another signature, Rekor v2',
    'ERR_VERIFY_LOG_ENTRY',
    {
      from: rekor2,
      bundle: ({ verificationMaterial: m }) => (m.tlogEntries = another2().verificationMaterial.tlogEntries),
    },
  ],
  [
    'the certificate of another signature',
    'ERR_VERIFY_SIGNATURE',
    {
      bundle: ({ verificationMaterial: m }) =>
        Object.assign(m, { certificate: another().verificationMaterial.certificate }),
    },
  ],
  [
    'an entry of another digest',
    'ERR_VERIFY_LOG_ENTRY',
    vouchedBody((body) => body.replace(/"value":"[0-9a-f]{64}"/, `"value":"${'a'.repeat(64)}"`)),
  ],
  [
    'an entry of another signature for this certificate',
    'ERR_VERIFY_LOG_ENTRY',
    vouchedBody((body) =>
      body.replace(
        /"signature":\{"content":"[^"]+"/,
        `"signature":{"content":"${another().messageSignature.signature}"`,
      ),
    ),
  ],
  [
    'an entry of another certificate for this signature',
    'ERR_VERIFY_LOG_ENTRY',
    vouchedBody((body) => {
      const other = /"publicKey":\{"content":"[^"]+"/.exec(bodyOf(another()))?.[0] ?? '';
      return body.replace(/"publicKey":\{"content":"[^"]+"/, other);
    }),
  ],
  [
    'an entry that is called of another kind',
    'ERR_VERIFY_LOG_ENTRY',
    {
      bundle: (bundle) => (entryOf(bundle).kindVersion.kind = 'dsse'),
    },
  ],
  [
    'an entry of an unknown version',
    'ERR_VERIFY_LOG_ENTRY',
    {
      bundle: (bundle) => (entryOf(bundle).kindVersion.version = '0.9.9'),
    },
  ],
];

/** What cannot be read, or not in one way. */
export const malformed: readonly Case[] = [
  ['what is no JSON', 'ERR_BUNDLE', { text: (text) => text.slice(1) }],
  ['a member twice', 'ERR_BUNDLE', { text: (text) => text.replace('{', '{"mediaType":"first",') }],
  [
    'an unknown version',
    'ERR_VERIFY_MALFORMED',
    {
      bundle: (bundle) => (bundle.mediaType = 'application/vnd.dev.sigstore.bundle.v0.9+json'),
    },
  ],
  ['another media type', 'ERR_BUNDLE', { bundle: (bundle) => (bundle.mediaType = 'application/json') }],
  ['an unknown field', 'ERR_BUNDLE_FIELD', { bundle: (bundle) => (bundle['expires'] = '2020-01-01') }],
  [
    'an unknown field of an entry',
    'ERR_BUNDLE_FIELD',
    {
      bundle: (bundle) => Object.assign(entryOf(bundle), { revoked: true }),
    },
  ],
  [
    'a field in another spelling',
    'ERR_BUNDLE_FIELD',
    {
      text: (text) => text.replace('"inclusionPromise"', '"inclusion_promise"'),
    },
  ],
  [
    'two kinds of content',
    'ERR_BUNDLE_FIELD',
    {
      bundle: (bundle) =>
        Object.assign(bundle, { dsseEnvelope: (jsonFixture('statement.json') as BundleJson).dsseEnvelope }),
    },
  ],
  [
    'certificate and key',
    'ERR_BUNDLE_FIELD',
    {
      bundle: ({ verificationMaterial: m }) => (m.publicKey = { hint: 'mine' }),
    },
  ],
  [
    'a chain in v0.3',
    'ERR_BUNDLE',
    {
      bundle: (bundle) => {
        withChain(bundle, bundle.mediaType);
      },
    },
  ],
  [
    'bytes that are no base64',
    'ERR_BUNDLE_FIELD',
    {
      bundle: (bundle) => (bundle.messageSignature.signature += '!'),
    },
  ],
  [
    'two signatures on one envelope',
    'ERR_BUNDLE',
    {
      from: 'statement.json',
      bundle: ({ dsseEnvelope: e }) => e?.signatures.push(...e.signatures),
    },
  ],
  [
    'an unknown member, cosign’s bundle',
    'ERR_COSIGN_BUNDLE',
    {
      from: 'cosign.json',
      cosign: (bundle: CosignJson) => (bundle['expires'] = true),
    },
  ],
  [
    'a certificate that is none, cosign’s bundle',
    'ERR_COSIGN_BUNDLE',
    {
      from: 'cosign.json',
      cosign: (bundle) => (bundle.cert = 'AAAA'),
    },
  ],
];
