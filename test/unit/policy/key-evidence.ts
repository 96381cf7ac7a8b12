import { generateKeyPairSync } from 'node:crypto';
import type { Digest } from '../../../src/model/digest.ts';
import { parseRepository } from '../../../src/model/image-reference.ts';
import type { PinnedImage } from '../../../src/model/image-reference.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import type { SigningKey } from '../../../src/model/signature.ts';
import { attachBundle } from '../../../src/registry/attachments-by-referrer.ts';
import { appendAttachments } from '../../../src/registry/attachments-by-tag.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import { createKeySigner } from '../../../src/signing/key-signer.ts';
import { encodeCosignAnnotations } from '../../../src/statements/cosign-annotations.ts';
import { encodeEnvelope, inTotoPayloadType, preAuthEncoding } from '../../../src/statements/dsse.ts';
import type { Envelope } from '../../../src/statements/dsse.ts';
import { encodeBundle } from '../../../src/statements/sigstore-bundle.ts';
import { encodeSimpleSigning } from '../../../src/statements/simple-signing.ts';
import { pushImage, soon } from '../registry/sample-images.ts';

/** A key pair that signs, with its public half as PEM. */
export interface TestKey {
  readonly key: SigningKey;
  readonly pem: string;
}

/** Makes a key pair. */
export async function makeKey(): Promise<TestKey> {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  const key = await (await createKeySigner({ pem })).acquire({ signal: soon() });
  return { key, pem: pair.publicKey.export({ format: 'pem', type: 'spki' }).toString() };
}

/** Pushes an image that differs by `content`. */
export async function pushTestImage(store: ImageStore, content: string): Promise<PinnedImage> {
  const repository = parseRepository('registry.example/team/app');
  return { repository, digest: (await pushImage(store, repository, content)).digest };
}

/** Attaches an image signature by tag, of `digest` or of the image itself. */
export async function attachSignature(
  store: ImageStore,
  target: PinnedImage,
  { key }: TestKey,
  digest: Digest = target.digest,
): Promise<void> {
  const bytes = encodeSimpleSigning({ dockerReference: 'registry.example/team/app', digest });
  const annotations = encodeCosignAnnotations({ signature: await key.sign(bytes), material: key.material });
  const layer = { mediaType: mediaTypes.simpleSigning, bytes, annotations };
  await appendAttachments(store, { target, kind: 'sig' }, [layer], { signal: soon() });
}

/** What an attestation says. */
export interface TestAttestation {
  readonly predicateType: string;
  readonly predicate?: object;
  readonly payloadType?: string;
}

/** Attaches an attestation by tag. */
export async function attachAttestation(
  store: ImageStore,
  target: PinnedImage,
  test: TestKey,
  content: TestAttestation,
): Promise<void> {
  const bytes = encodeEnvelope(await envelopeOf(target, test, content));
  const annotations = encodeCosignAnnotations({ material: test.key.material });
  const layer = { mediaType: mediaTypes.dsseEnvelope, bytes, annotations };
  await appendAttachments(store, { target, kind: 'att' }, [layer], { signal: soon() });
}

/** Attaches an attestation as a bundle. */
export async function attachAttestationBundle(
  store: ImageStore,
  target: PinnedImage,
  test: TestKey,
  content: TestAttestation,
): Promise<void> {
  const envelope = await envelopeOf(target, test, content);
  const bytes = encodeBundle({ envelope, material: test.key.material, entries: [] });
  const subject = await store.headManifest(target.repository, target.digest, { signal: soon() });
  const bundle = { bytes, predicateType: content.predicateType, created: new Date(0) };
  await attachBundle(store, { repository: target.repository, subject: subject! }, bundle, { signal: soon() });
}

async function envelopeOf(
  { digest }: PinnedImage,
  { key }: TestKey,
  { predicateType, predicate = {}, payloadType = inTotoPayloadType }: TestAttestation,
): Promise<Envelope> {
  const subject = [{ name: 'registry.example/team/app', digest: { sha256: digest.slice('sha256:'.length) } }];
  const statement = { _type: 'https://in-toto.io/Statement/v0.1', subject, predicateType, predicate };
  const payload = Buffer.from(JSON.stringify(statement));
  return {
    payloadType,
    payload,
    signatures: [{ keyid: '', sig: await key.sign(preAuthEncoding(payloadType, payload)) }],
  };
}
