import { createHash } from 'node:crypto';
import { Agent } from 'undici';
import { startDevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import type { Digest } from '../../../src/model/digest.ts';
import { parseDigest } from '../../../src/model/digest.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import { verifierPem } from '../../../src/model/signature.ts';
import type { TrustRoot } from '../../../src/signing/trust-root.ts';
import { encodeCosignAnnotations } from '../../../src/statements/cosign-annotations.ts';
import { encodeEnvelope, inTotoPayloadType, preAuthEncoding } from '../../../src/statements/dsse.ts';
import { encodeBundle } from '../../../src/statements/sigstore-bundle.ts';
import { encodeSimpleSigning } from '../../../src/statements/simple-signing.ts';
import { openWorkshop } from '../../unit/signing/signed-evidence.ts';
import type { Workshop } from '../../unit/signing/signed-evidence.ts';

/** What a piece of evidence is about. */
export type PieceKind = 'signature' | 'provenance' | 'sbom';

/** One piece of evidence, before it is hung beside an image. */
export interface Piece {
  readonly kind: PieceKind;
  readonly layout: 'tag' | 'bundle';
  /** The layer's content, or the bundle. */
  readonly content: Buffer;
  /** Of the layer; none of a bundle. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly mediaType: string;
}

/** Genuine evidence, and what a forger has at hand. */
export interface EvidenceHoard {
  readonly trustRoot: TrustRoot;
  /** The image that is judged. */
  readonly digest: Digest;
  /** All that the policy wants of it, in both layouts. */
  readonly genuine: readonly Piece[];
  /** The same of another image, the same of this one by somebody else, and the same by another Sigstore. */
  readonly foreign: readonly (readonly Piece[])[];
}

const builder = {
  builder: { id: 'https://tekton.golems.internal/chains/v2' },
  buildType: 'lab',
  materials: [],
};
const predicates = {
  provenance: { type: 'https://slsa.dev/provenance/v0.2', content: builder },
  sbom: { type: 'https://cyclonedx.org/bom', content: { bomFormat: 'CycloneDX', components: [] } },
  signature: { type: 'https://sigstore.dev/cosign/sign/v1', content: {} },
} as const;
const repository = 'harbor.golems.internal/golem-trust/app';
const { signal } = new AbortController();

/** Makes the evidence, with Sigstores of its own that are gone when this resolves. */
export async function gatherEvidence(): Promise<EvidenceHoard> {
  await using ours = await startDevelopmentSigstore();
  await using theirs = await startDevelopmentSigstore();
  const dispatcher = new Agent();
  try {
    const controller = openWorkshop(ours, dispatcher);
    const issueToken = (): Promise<string> => ours.issueToken('system:serviceaccount:default:intruder');
    const intruder = openWorkshop({ ...ours, issueToken }, dispatcher);
    const stranger = openWorkshop(theirs, dispatcher);
    const [digest, other] = [digestOf('image'), digestOf('another image')];
    return {
      trustRoot: controller.trustRoot,
      digest,
      genuine: await attestAll(controller, digest),
      foreign: [
        await attestAll(controller, other),
        await attestAll(intruder, digest),
        await attestAll(stranger, digest),
      ],
    };
  } finally {
    await dispatcher.close();
  }
}

function digestOf(text: string): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(text).digest('hex')}`);
}

async function attestAll(workshop: Workshop, digest: Digest): Promise<Piece[]> {
  return [
    await signLayer(workshop, digest),
    ...(await attest(workshop, digest, 'signature')).slice(1),
    ...(await attest(workshop, digest, 'provenance')),
    ...(await attest(workshop, digest, 'sbom')),
  ];
}

async function signLayer({ signer, rekor }: Workshop, digest: Digest): Promise<Piece> {
  const content = encodeSimpleSigning({ dockerReference: repository, digest });
  const key = await signer.acquire({ signal });
  const signature = await key.sign(content);
  const { entry } = await rekor.append(
    {
      kind: 'hashedrekord',
      payloadSha256: createHash('sha256').update(content).digest('hex'),
      signature,
      verifierPem: verifierPem(key.material),
    },
    { signal },
  );
  const annotations = encodeCosignAnnotations({ signature, material: key.material, entry });
  return { kind: 'signature', layout: 'tag', content, annotations, mediaType: mediaTypes.simpleSigning };
}

/** The same statement as a layer and as a bundle. */
async function attest({ signer, rekor }: Workshop, digest: Digest, kind: PieceKind): Promise<Piece[]> {
  const { type, content } = predicates[kind];
  const statement = {
    _type: 'https://in-toto.io/Statement/v0.1',
    subject: [{ name: repository, digest: { sha256: digest.slice('sha256:'.length) } }],
    predicateType: type,
    predicate: content,
  };
  const payload = Buffer.from(JSON.stringify(statement));
  const key = await signer.acquire({ signal });
  const sig = await key.sign(preAuthEncoding(inTotoPayloadType, payload));
  const envelope = { payloadType: inTotoPayloadType, payload, signatures: [{ keyid: '', sig }] };
  const layer = encodeEnvelope(envelope);
  const { entry } = await rekor.append(
    { kind: 'dsse', envelope: layer.toString('utf8'), verifierPem: verifierPem(key.material) },
    { signal },
  );
  const annotations = encodeCosignAnnotations({ material: key.material, entry });
  const bundle = encodeBundle({ envelope, material: key.material, entries: [entry] });
  return [
    { kind, layout: 'tag', content: layer, annotations, mediaType: mediaTypes.dsseEnvelope },
    { kind, layout: 'bundle', content: bundle, annotations: {}, mediaType: mediaTypes.sigstoreBundle },
  ];
}
