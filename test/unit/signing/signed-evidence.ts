import { generateKeyPairSync, hash, sign } from 'node:crypto';
import type { TransparencyLogEntry } from '@sigstore/protobuf-specs';
import { Agent } from 'undici';
import type { DevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import type { Clock } from '../../../src/model/clock.ts';
import { parseDigest } from '../../../src/model/digest.ts';
import { silentLog } from '../../../src/model/log.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import { fingerprintOf, verifierPem } from '../../../src/model/signature.ts';
import type { Signer, SigningKey } from '../../../src/model/signature.ts';
import { exactly } from '../../../src/signing/certificate-identity.ts';
import { createFulcioClient } from '../../../src/signing/fulcio-client.ts';
import { createRequestTokenSource } from '../../../src/signing/identity-token.ts';
import { KeylessSigner } from '../../../src/signing/keyless-signer.ts';
import { logKeysOf, parseTrustRoot } from '../../../src/signing/trust-root.ts';
import type { TrustRoot } from '../../../src/signing/trust-root.ts';
import type { Evidence } from '../../../src/signing/evidence-material.ts';
import type { ExpectedSigner, VerificationDemands } from '../../../src/signing/verification.ts';
import { encodeCosignAnnotations } from '../../../src/statements/cosign-annotations.ts';
import { encodeEnvelope, inTotoPayloadType, preAuthEncoding } from '../../../src/statements/dsse.ts';
import { encodeBundle } from '../../../src/statements/sigstore-bundle.ts';
import { encodeSimpleSigning } from '../../../src/statements/simple-signing.ts';
import { RekorV1Client } from '../../../src/transparency/rekor-v1-client.ts';

/** The machine's time. */
export const systemClock: Clock = { now: () => new Date(), sleep: () => Promise.resolve() };

/** A signal that nobody aborts. */
export const { signal } = new AbortController();

/** The identity that the development Sigstore gives the controller. */
export const controllerIdentity = {
  issuer: 'https://kubernetes.golems.internal',
  subject:
    'https://kubernetes.golems.internal/namespaces/tekton-chains/serviceaccounts/tekton-chains-controller',
};

/** The controller as the only accepted signer. */
export const expectController: ExpectedSigner = {
  kind: 'identity',
  anyOf: [{ issuer: exactly(controllerIdentity.issuer), subject: exactly(controllerIdentity.subject) }],
};

/** The project's own parts against a development Sigstore. */
export interface Workshop {
  readonly trustRoot: TrustRoot;
  readonly signer: Signer;
  readonly rekor: RekorV1Client;
  readonly demands: VerificationDemands;
}

/** A signed and logged payload in both layouts. */
export interface Signed {
  readonly key: SigningKey;
  readonly entry: TransparencyLogEntry;
  readonly layer: Extract<Evidence, { layout: 'tag' }>;
  readonly payload: Buffer;
}

/** Wires signer and log client to a Sigstore, by default a development one. */
export function openWorkshop(
  sigstore: Pick<DevelopmentSigstore, 'fulcioUrl' | 'rekorUrl' | 'trustedRoot' | 'issueToken'>,
  dispatcher: Agent,
): Workshop {
  const trustRoot = parseTrustRoot(JSON.stringify(sigstore.trustedRoot));
  const fulcio = createFulcioClient({ url: sigstore.fulcioUrl, dispatcher, clock: systemClock });
  const tokens = createRequestTokenSource(() => sigstore.issueToken(), systemClock);
  const signer = new KeylessSigner({ fulcio, tokens, clock: systemClock });
  const rekor = new RekorV1Client({
    url: sigstore.rekorUrl,
    dispatcher,
    clock: systemClock,
    keys: logKeysOf(trustRoot),
    log: silentLog,
  });
  const demands = { trustRoot, witness: 'log', requireSct: true, at: new Date() } as const;
  return { trustRoot, signer, rekor, demands };
}

/** Signs an image in cosign's tag layout, as the attestation room does. */
export async function signImage({ signer, rekor }: Workshop): Promise<Signed> {
  const payload = encodeSimpleSigning({
    dockerReference: 'harbor.golems.internal/golem-trust/app',
    digest: parseDigest(`sha256:${'a'.repeat(64)}`),
  });
  const key = await signer.acquire({ signal });
  const signature = await key.sign(payload);
  const { entry } = await rekor.append(
    {
      kind: 'hashedrekord',
      payloadSha256: hash('sha256', payload),
      signature,
      verifierPem: verifierPem(key.material),
    },
    { signal },
  );
  const annotations = encodeCosignAnnotations({ signature, material: key.material, entry });
  return {
    key,
    entry,
    payload,
    layer: { layout: 'tag', mediaType: mediaTypes.simpleSigning, content: payload, annotations },
  };
}

/** A signed and logged statement in both layouts. */
export interface Attested extends Signed {
  readonly bundle: Extract<Evidence, { layout: 'bundle' }>;
}

/** Attests a statement in both layouts with one log entry. */
export async function attest({ signer, rekor }: Workshop, tag = 'first'): Promise<Attested> {
  const payload = Buffer.from(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v0.1',
      subject: [{ name: 'app', digest: { sha256: 'a'.repeat(64) } }],
      predicateType: 'https://slsa.dev/provenance/v0.2',
      predicate: { builder: { id: 'https://tekton.golems.internal/chains/v2' }, tag },
    }),
  );
  const key = await signer.acquire({ signal });
  const sig = await key.sign(preAuthEncoding(inTotoPayloadType, payload));
  const envelope = { payloadType: inTotoPayloadType, payload, signatures: [{ keyid: '', sig }] };
  const content = encodeEnvelope(envelope);
  const { entry } = await rekor.append(
    { kind: 'dsse', envelope: content.toString('utf8'), verifierPem: verifierPem(key.material) },
    { signal },
  );
  const annotations = encodeCosignAnnotations({ material: key.material, entry });
  return {
    key,
    entry,
    payload,
    layer: { layout: 'tag', mediaType: mediaTypes.dsseEnvelope, content, annotations },
    bundle: { layout: 'bundle', bytes: encodeBundle({ envelope, material: key.material, entries: [entry] }) },
  };
}

/** A long-lived key of its own. */
export function makeKey(): SigningKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spkiDer = publicKey.export({ format: 'der', type: 'spki' });
  return {
    material: { kind: 'public-key', spkiDer },
    fingerprint: fingerprintOf(spkiDer),
    sign: (data) => Promise.resolve(sign('sha256', data, privateKey)),
  };
}
