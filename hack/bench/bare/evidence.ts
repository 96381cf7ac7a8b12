import { generateKeyPairSync, hash, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { request } from 'undici';
import type { Dispatcher } from 'undici';
import type { Digest } from '../../../src/model/digest.ts';
import { digestOf } from '../../../src/model/digest.ts';
import type { ArtifactKind, RecordedArtifact, RecordedLogEntry } from '../../../src/model/signing-record.ts';
import { fingerprintOf, verifierPem } from '../../../src/model/signature.ts';
import type { VerificationMaterial } from '../../../src/model/signature.ts';
import { encodeCosignAnnotations } from '../../../src/statements/cosign-annotations.ts';
import { encodeEnvelope, inTotoPayloadType, preAuthEncoding } from '../../../src/statements/dsse.ts';
import { encodeSimpleSigning } from '../../../src/statements/simple-signing.ts';
import { createFulcioClient } from '../../../src/signing/fulcio-client.ts';
import { encodeProposal, parseEntryAnswer } from '../../../src/transparency/rekor-v1-entry.ts';
import type { LogProposal } from '../../../src/transparency/transparency-log.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { identityToken } from '../../stack/stack.ts';
import type { Stack } from '../../stack/stack.ts';

/** A key with a certificate of Fulcio, for all runs: they fit into its ten minutes. */
export interface BareKey {
  readonly privateKey: KeyObject;
  readonly material: VerificationMaterial;
  readonly fingerprint: string;
}

/** What is signed of a run, with the bytes that lie in its layer. */
export interface BareArtifact {
  readonly kind: ArtifactKind;
  readonly predicateType?: string;
  readonly payload: Buffer;
  readonly signature: Buffer;
  readonly layer: Buffer;
  readonly proposal: LogProposal;
}

// About what statements of the bench's runs take, whose content says nothing here.
const provenanceFiller = 'x'.repeat(1400);
const sbomFiller = 'x'.repeat(1000);

/** Asks Fulcio once. */
export async function openBareKey(stack: Stack, dispatcher: Dispatcher): Promise<BareKey> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const fulcio = createFulcioClient({ url: stack.fulcioUrl, dispatcher, clock: systemClock });
  const ask = { token: await identityToken(), privateKey, publicKey };
  const { chainDer } = await fulcio.issue(ask, { signal: AbortSignal.timeout(30_000) });
  const fingerprint = fingerprintOf(publicKey.export({ format: 'der', type: 'spki' }));
  return { privateKey, fingerprint, material: { kind: 'certificate', chainDer } };
}

/** The signature, provenance and SBOM of one image, signed. */
export function signImage(image: { repository: string; digest: Digest }, key: BareKey): BareArtifact[] {
  const subject = [{ name: image.repository, digest: { sha256: image.digest.slice('sha256:'.length) } }];
  const statement = (predicateType: string, predicate: object): Buffer =>
    Buffer.from(
      JSON.stringify({ _type: 'https://in-toto.io/Statement/v0.1', subject, predicateType, predicate }),
    );
  const slsa = 'https://slsa.dev/provenance/v0.2';
  const cyclonedx = 'https://cyclonedx.org/bom';
  return [
    signBytes(encodeSimpleSigning({ dockerReference: image.repository, digest: image.digest }), key),
    signStatement('provenance', slsa, statement(slsa, { filler: provenanceFiller }), key),
    signStatement('sbom', cyclonedx, statement(cyclonedx, { filler: sbomFiller }), key),
  ];
}

/** Tells the log of an artifact and gives the annotations of its layer; the answer is believed. */
export async function logArtifact(
  { kind, predicateType, signature, proposal }: BareArtifact,
  { material }: BareKey,
  { rekorUrl, dispatcher }: { readonly rekorUrl: string; readonly dispatcher: Dispatcher },
): Promise<{
  readonly annotations: Readonly<Record<string, string>>;
  readonly entry: RecordedLogEntry;
}> {
  const address = `${rekorUrl}/api/v1/log/entries`;
  const headers = { 'content-type': 'application/json' };
  const answer = await request(address, {
    method: 'POST',
    headers,
    body: encodeProposal(proposal),
    dispatcher,
  });
  const body = Buffer.from(await answer.body.arrayBuffer());
  if (answer.statusCode !== 201) throw new Error(`${address}: ${answer.statusCode} ${body.toString('utf8')}`);
  const { entry } = parseEntryAnswer(body, address);
  const annotations = encodeCosignAnnotations({
    ...(kind === 'signature' ? { signature } : {}),
    material,
    entry,
    ...(predicateType === undefined ? {} : { predicateType }),
  });
  const recorded = {
    log: rekorUrl,
    logIndex: Number(entry.logIndex),
    logId: entry.logId?.keyId.toString('hex') ?? '',
    integratedTime: Number(entry.integratedTime),
  };
  return { annotations, entry: recorded };
}

/** What the record says of an artifact. */
export function toRecorded(
  { kind, payload }: BareArtifact,
  image: { readonly repository: string; readonly digest: Digest },
  key: BareKey,
  reached: Pick<RecordedArtifact, 'entry'> & { readonly ref?: string } = {},
): RecordedArtifact {
  return {
    kind,
    layout: kind === 'signature' ? 'tag' : 'shared',
    subject: `${image.repository}@${image.digest}`,
    payloadDigest: digestOf(payload),
    keyFingerprints: [key.fingerprint],
    ...(reached.entry === undefined ? {} : { entry: reached.entry }),
    destinations: reached.ref === undefined ? [] : [{ layout: 'tag', ref: reached.ref }],
  };
}

function signBytes(payload: Buffer, { privateKey, material }: BareKey): BareArtifact {
  const signature = sign('sha256', payload, privateKey);
  const payloadSha256 = hash('sha256', payload);
  const proposal = {
    kind: 'hashedrekord',
    payloadSha256,
    signature,
    verifierPem: verifierPem(material),
  } as const;
  return { kind: 'signature', payload, signature, layer: payload, proposal };
}

function signStatement(
  kind: 'provenance' | 'sbom',
  predicateType: string,
  payload: Buffer,
  { privateKey, material }: BareKey,
): BareArtifact {
  const signature = sign('sha256', preAuthEncoding(inTotoPayloadType, payload), privateKey);
  const signatures = [{ keyid: '', sig: signature }];
  const layer = encodeEnvelope({ payloadType: inTotoPayloadType, payload, signatures });
  const proposal = {
    kind: 'dsse',
    envelope: layer.toString('utf8'),
    verifierPem: verifierPem(material),
  } as const;
  return { kind, predicateType, payload, signature, layer, proposal };
}
