import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { SignJWT, jwtVerify } from 'jose';
import { z } from 'zod';
import { encodePem } from '../../model/signature.ts';

/** What the development authority answers: an HTTP status and a JSON value. */
export interface AuthorityReply {
  readonly status: number;
  readonly body: unknown;
}

/**
 * DEVELOPMENT AUTHORITY: nobody else trusts it. Issuer of tokens, Fulcio and certificate transparency log in one,
 * on the parts of @sigstore/mock.
 */
export interface DevelopmentAuthority {
  /** Of the authority's root certificate. */
  readonly rootDer: Uint8Array;
  /** SPKI of the certificate transparency log's key, and its id. */
  readonly ctLog: { readonly publicKeyDer: Uint8Array; readonly id: Uint8Array };
  /** A token as the API server issues it, audience `sigstore`. */
  issueToken(subject: string): Promise<string>;
  /** `POST /api/v2/signingCert` */
  issueCertificate(json: unknown): Promise<AuthorityReply>;
}

const audience = 'sigstore';
const tokenLifetimeSeconds = 600;
const requestShape = z.object({
  credentials: z.object({ oidcIdentityToken: z.string() }),
  publicKeyRequest: z.object({
    publicKey: z.object({ content: z.string() }),
    proofOfPossession: z.base64(),
  }),
});
const serviceAccount = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** Makes a new authority with keys of its own. */
export async function createDevelopmentAuthority(options: {
  readonly issuer: string;
  /** Without it the certificates carry no signed certificate timestamp. */
  readonly certificateTransparency: boolean;
}): Promise<DevelopmentAuthority> {
  // Loaded here alone: the package patches node:http when it is loaded, which nothing but development should bear.
  const { initializeCA, initializeCTLog } = await import('@sigstore/mock');
  const ctLog = await initializeCTLog(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
  const authorityKeys = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const authority = await initializeCA(authorityKeys, options.certificateTransparency ? ctLog : undefined);
  const tokenKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const rootDer = bytesOf(authority.rootCertificate);
  return {
    rootDer,
    ctLog: { publicKeyDer: ctLog.publicKey, id: bytesOf(ctLog.logID) },
    issueToken: (subject) => signToken(subject, { issuer: options.issuer, key: tokenKeys.privateKey }),
    issueCertificate: async (json) => {
      const ask = await readRequest(json, { issuer: options.issuer, key: tokenKeys.publicKey });
      if ('refused' in ask) return { status: 400, body: { code: 3, message: ask.refused } };
      const leaf = await authority.issueCertificate({
        publicKey: Buffer.from(ask.publicKey.export({ format: 'der', type: 'spki' })),
        subjectAltName: ask.subject,
        extensions: [
          { oid: '1.3.6.1.4.1.57264.1.1', value: options.issuer, legacy: true },
          { oid: '1.3.6.1.4.1.57264.1.8', value: options.issuer },
        ],
      });
      const certificates = [bytesOf(leaf), rootDer].map((der) => encodePem('CERTIFICATE', der));
      return { status: 201, body: { signedCertificateEmbeddedSct: { chain: { certificates } } } };
    },
  };
}

function signToken(
  subject: string,
  { issuer, key }: { readonly issuer: string; readonly key: KeyObject },
): Promise<string> {
  return new SignJWT({})
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuer(issuer)
    .setSubject(subject)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(`${tokenLifetimeSeconds}s`)
    .sign(key);
}

async function readRequest(
  json: unknown,
  { issuer, key }: { readonly issuer: string; readonly key: KeyObject },
): Promise<{ readonly subject: string; readonly publicKey: KeyObject } | { readonly refused: string }> {
  const { credentials, publicKeyRequest } = requestShape.parse(json);
  let sub: string;
  try {
    const { payload } = await jwtVerify(credentials.oidcIdentityToken, key, { issuer, audience });
    sub = payload.sub ?? '';
  } catch {
    // As Fulcio: no more is told to whom brings a bad token.
    return { refused: 'There was an error processing the identity token' };
  }
  const [, namespace, name] = serviceAccount.exec(sub) ?? [];
  if (namespace === undefined || name === undefined) return { refused: 'the subject is no service account' };
  const publicKey = createPublicKey(publicKeyRequest.publicKey.content);
  const proof = Buffer.from(publicKeyRequest.proofOfPossession, 'base64');
  if (!verify('sha256', Buffer.from(sub), publicKey, proof)) {
    return {
      refused: 'The signature supplied to verify possession of the private key could not be verified',
    };
  }
  return { subject: `${issuer}/namespaces/${namespace}/serviceaccounts/${name}`, publicKey };
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}
