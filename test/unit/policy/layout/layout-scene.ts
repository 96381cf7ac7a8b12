import { constants, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { verifyLayout } from '../../../../src/policy/layout/layout-verification.ts';
import type { LayoutSource } from '../../../../src/policy/layout/layout-verification.ts';
import { requireSigned } from '../../../../src/policy/layout/step-reports.ts';
import type { FoundEvidence } from '../../../../src/policy/layout/step-reports.ts';
import { metadataKeyOf, readMetadataKey } from '../../../../src/signing/metadata-key.ts';
import { parseTrustRoot } from '../../../../src/signing/trust-root.ts';
import { readLink } from '../../../../src/statements/link.ts';
import {
  bytesToSign,
  encodeSignedMetadata,
  parseSignedMetadata,
} from '../../../../src/statements/signed-metadata.ts';
import type { SignedMetadata } from '../../../../src/statements/signed-metadata.ts';
import type { JsonObject } from '../../../../src/statements/strict-json.ts';
import { codeOfRejection } from '../../signing/codes.ts';

/** Somebody with a key. */
export interface Person {
  readonly privateKey: KeyObject;
  readonly keyid: string;
  readonly key: JsonObject;
}

/** Somebody with a new key. */
export function newPerson(kind: 'ed25519' | 'P-256' | 'rsa' = 'ed25519'): Person {
  const { privateKey, publicKey } =
    kind === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : kind === 'ed25519'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('ec', { namedCurve: kind });
  return { privateKey, ...metadataKeyOf(publicKey) };
}

/** The people of all scenes: keys take time. */
export const owner = newPerson();
export const coder = newPerson('P-256');
export const packer = newPerson('rsa');
export const stranger = newPerson();

/** Metadata as its authors sign it. */
export function signedBy(
  signed: object,
  people: readonly Person[],
  wrapping: SignedMetadata['wrapping'] = 'metablock',
): Buffer {
  const content = signed as JsonObject;
  const bytes = bytesToSign(wrapping, content, 'test');
  const signatures = people.map(({ privateKey, keyid }) => ({ keyid, sig: signatureOf(privateKey, bytes) }));
  return encodeSignedMetadata({ wrapping, signed: content, signatures });
}

/** As in-toto signs. */
export function signatureOf(privateKey: KeyObject, bytes: Uint8Array): Buffer {
  const isEd = privateKey.asymmetricKeyType === 'ed25519';
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
  const padding = privateKey.asymmetricKeyType === 'rsa' ? pss : {};
  return sign(isEd ? null : 'sha256', bytes, { key: privateKey, ...padding });
}

const [source, archive] = ['a'.repeat(64), 'b'.repeat(64)];

/** Hashes of the files that the steps handle. */
export const files = {
  source: { sha256: source },
  archive: { sha256: archive },
  other: { sha256: 'c'.repeat(64) },
};

/** A link as in-toto writes it. */
export function linkOf(name: string, materials: object, products: object, more: object = {}): object {
  return { _type: 'link', name, materials, products, byproducts: {}, environment: {}, command: [], ...more };
}

/** What is planted into a supply chain that holds. */
export interface PlantedChain {
  readonly layout?: (layout: LayoutJson) => void;
  /** Files of the links folder, by path without the key's id; `undefined` takes one away. */
  readonly links?: Readonly<Record<string, Buffer | undefined>>;
  readonly owners?: readonly Person[];
  readonly expected?: readonly Person[];
  readonly wrapping?: SignedMetadata['wrapping'];
  /** The layout's text, changed after it was signed. */
  readonly text?: (text: string) => string;
  readonly attestations?: Readonly<Record<string, readonly FoundEvidence[]>>;
  readonly inspected?: Readonly<Record<string, object>>;
  readonly at?: string;
}

/** A step, as far as tests change it. */
export interface StepJson {
  _type: string;
  name: string;
  threshold: number;
  pubkeys: string[];
  expected_command: string[];
  expected_materials: string[][];
  expected_products: string[][];
  [field: string]: unknown;
}

/** A layout, as far as tests change it. */
export interface LayoutJson {
  _type: string;
  expires: string;
  keys: Record<string, object>;
  steps: StepJson[];
  inspect: object[];
  [field: string]: unknown;
}

/** A layout of two steps: code is written, and packed. */
export function newLayout(): LayoutJson {
  const all = ['DISALLOW', '*'];
  return {
    _type: 'layout',
    readme: 'lab',
    expires: '2030-01-01T00:00:00Z',
    keys: { [coder.keyid]: coder.key, [packer.keyid]: packer.key },
    steps: [
      {
        _type: 'step',
        name: 'code',
        threshold: 1,
        pubkeys: [coder.keyid],
        expected_command: [],
        expected_materials: [all],
        expected_products: [['CREATE', 'foo.py'], all],
      },
      {
        _type: 'step',
        name: 'pack',
        threshold: 1,
        pubkeys: [packer.keyid],
        expected_command: ['tar', 'czf'],
        expected_materials: [['MATCH', '*', 'WITH', 'PRODUCTS', 'FROM', 'code'], all],
        expected_products: [['CREATE', 'foo.tgz'], ['ALLOW', 'foo.py'], all],
      },
    ],
    inspect: [],
  };
}

const goodLinks: Readonly<Record<string, Buffer>> = {
  [`code.${coder.keyid.slice(0, 8)}.link`]: signedBy(linkOf('code', {}, { 'foo.py': files.source }), [coder]),
  [`pack.${packer.keyid.slice(0, 8)}.link`]: signedBy(
    linkOf('pack', { 'foo.py': files.source }, { 'foo.py': files.source, 'foo.tgz': files.archive }),
    [packer],
  ),
};

/** The name of a link's file. */
export function linkFile(step: string, { keyid }: Person): string {
  return `${step}.${keyid.slice(0, 8)}.link`;
}

/** The code with which verifying what is planted ends, or `passed`. */
export function outcomeOf(planted: PlantedChain): Promise<string> {
  return codeOfRejection(verifyPlanted(planted));
}

/** Verifies what is planted as the command does. */
export async function verifyPlanted(
  planted: PlantedChain,
): Promise<Awaited<ReturnType<typeof verifyLayout>>> {
  const layout = newLayout();
  planted.layout?.(layout);
  const written = signedBy(layout, planted.owners ?? [owner], planted.wrapping);
  const bytes = planted.text === undefined ? written : Buffer.from(planted.text(written.toString('utf8')));
  const metadata = parseSignedMetadata(bytes, 'layout');
  for (const { key, keyid } of planted.expected ?? [owner])
    requireSigned(metadata, readMetadataKey(key, keyid), 'layout');
  const at = new Date(planted.at ?? '2026-01-01T00:00:00Z');
  return verifyLayout(metadata.signed, 'layout', {
    source: sourceOf(planted),
    at,
    unwitnessed: {
      trustRoot: parseTrustRoot('{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}'),
      witness: 'unsafe-none',
      requireSct: false,
      at,
    },
  });
}

function sourceOf({ links = {}, attestations = {}, inspected = {} }: PlantedChain): LayoutSource {
  const all: Readonly<Record<string, Buffer | undefined>> = { ...goodLinks, ...links };
  return {
    link: (folder, step, keyid) =>
      Promise.resolve(all[[...folder, `${step}.${keyid.slice(0, 8)}.link`].join('/')]),
    attestations: (step) => attestations[step] ?? [],
    inspected: new Map(
      Object.entries(inspected).map(([name, link]) => [name, readLink(link as JsonObject, name, name)]),
    ),
  };
}
