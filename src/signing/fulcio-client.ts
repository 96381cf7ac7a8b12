import { X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { request } from 'undici';
import type { Dispatcher } from 'undici';
import { z } from 'zod';
import type { Clock } from '../model/clock.ts';
import { AppError, fromHttpFault, parseRetryAfter } from '../model/errors.ts';
import { deadlines, limits } from '../model/limits.ts';
import { readBounded } from '../model/bounded-body.ts';
import { readTokenClaims } from './identity-token.ts';
import { signWith } from './signature-algorithm.ts';

/** A certificate that Fulcio issued for a key of ours. */
export interface IssuedCertificate {
  /** Leaf first, DER. */
  readonly chainDer: readonly [Uint8Array, ...Uint8Array[]];
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Fulcio, the certificate authority of keyless signing. */
export interface FulcioClient {
  /**
   * Asks for a certificate for `key` in the name of the token. Errors: ERR_FULCIO_TOKEN_REFUSED, ERR_FULCIO_REFUSED,
   * ERR_FULCIO_UNREACHABLE (passing), ERR_FULCIO_ANSWER (what came back is not a certificate for this key).
   */
  issue(
    ask: { readonly token: string; readonly privateKey: KeyObject; readonly publicKey: KeyObject },
    options: { readonly signal: AbortSignal },
  ): Promise<IssuedCertificate>;
}

/** What a {@link FulcioClient} needs. */
export interface FulcioClientOptions {
  /** Base URL without a path. */
  readonly url: string;
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
  readonly deadlineMs?: number;
}

const chainSchema = z.object({
  chain: z.object({ certificates: z.array(z.string()).min(1).max(8) }),
});
const answerSchema = z.union([
  z.object({ signedCertificateEmbeddedSct: chainSchema }).transform((a) => a.signedCertificateEmbeddedSct),
  z.object({ signedCertificateDetachedSct: chainSchema }).transform((a) => a.signedCertificateDetachedSct),
]);
const clockSkewMs = 300_000;
const codeSigningUsage = '1.3.6.1.5.5.7.3.3';

/** A client of Fulcio's HTTP API v2 (`POST /api/v2/signingCert`, fulcio.proto). */
export function createFulcioClient(options: FulcioClientOptions): FulcioClient {
  const endpoint = new URL('/api/v2/signingCert', options.url).href;
  return {
    issue: async (ask, { signal }) => {
      const claims = readTokenClaims(ask.token);
      // Fulcio checks this signature over the name of the principal that it reads from the token.
      const proof = await signWith(ask.privateKey, Buffer.from(claims.subject));
      const body = JSON.stringify({
        credentials: { oidcIdentityToken: ask.token },
        publicKeyRequest: {
          publicKey: {
            algorithm: 'ECDSA',
            content: ask.publicKey.export({ format: 'pem', type: 'spki' }).toString(),
          },
          proofOfPossession: Buffer.from(proof).toString('base64'),
        },
      });
      const answer = await post(endpoint, body, { ...options, signal });
      const chain = parseChain(answer, endpoint);
      return checkChain(chain, ask.publicKey, { at: options.clock.now(), object: endpoint });
    },
  };
}

async function post(
  endpoint: string,
  body: string,
  { dispatcher, clock, deadlineMs, signal }: FulcioClientOptions & { readonly signal: AbortSignal },
): Promise<Buffer> {
  try {
    const response = await request(endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body,
      dispatcher,
      signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs ?? deadlines.fulcioMs)]),
    });
    const bound = { maxBytes: limits.jsonBytes, code: 'ERR_FULCIO_ANSWER', object: endpoint };
    const answer = await readBounded(response.body, bound);
    if (response.statusCode === 200 || response.statusCode === 201) return answer;
    const retryAfter = response.headers['retry-after'];
    throw refused(endpoint, response.statusCode, {
      reason: serverMessage(answer),
      retryAfterMs: parseRetryAfter(Array.isArray(retryAfter) ? retryAfter[0] : retryAfter, clock.now()),
    });
  } catch (error) {
    signal.throwIfAborted();
    throw fromHttpFault(error, 'ERR_FULCIO_UNREACHABLE', endpoint);
  }
}

function refused(
  endpoint: string,
  status: number,
  { reason, retryAfterMs }: { readonly reason: string; readonly retryAfterMs: number | undefined },
): AppError {
  if (status === 400 || status === 401 || status === 403) {
    // Passing: no run is at fault; all wait until Fulcio's or the controller's configuration is mended.
    return new AppError(
      'ERR_FULCIO_TOKEN_REFUSED',
      `Fulcio refused the identity token (HTTP ${status}): ${reason}`,
      {
        kind: 'passing',
        object: endpoint,
        remedy:
          "Check that the token's issuer is registered with Fulcio, that Fulcio can read the issuer's keys, and that the token's audience is sigstore.",
      },
    );
  }
  return new AppError('ERR_FULCIO_REFUSED', `Fulcio answered with HTTP ${status}: ${reason}`, {
    // Passing whatever the status: what Fulcio refuses here was never a run's fault.
    kind: 'passing',
    object: endpoint,
    remedy: 'Check that the address is that of a Fulcio with API v2, and its log.',
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** The server's reason, short and without anything that looks like a token. */
function serverMessage(body: Buffer): string {
  let text = body.toString('utf8');
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed) text = String(parsed.message);
  } catch {
    // Not JSON: a proxy's page; its beginning is still the best reason there is.
  }
  return text
    .slice(0, 4096)
    .replace(/eyJ[\w-]*(?:\.[\w-]*)*/g, '[token]')
    .slice(0, 200);
}

function parseChain(answer: Buffer, object: string): X509Certificate[] {
  try {
    const { chain } = answerSchema.parse(JSON.parse(answer.toString('utf8')));
    return chain.certificates.map((pem) => new X509Certificate(pem));
  } catch (error) {
    throw badAnswer(object, 'it is no certificate chain', error);
  }
}

function checkChain(
  chain: readonly X509Certificate[],
  publicKey: KeyObject,
  { at, object }: { readonly at: Date; readonly object: string },
): IssuedCertificate {
  const [leaf, ...issuers] = chain;
  if (leaf === undefined) throw badAnswer(object, 'it has no certificate');
  if (!leaf.publicKey.equals(publicKey)) throw badAnswer(object, 'the certificate is for another key');
  if (!leaf.keyUsage.includes(codeSigningUsage)) throw badAnswer(object, 'it is not for code signing');
  let child = leaf;
  for (const issuer of issuers) {
    if (!child.verify(issuer.publicKey)) throw badAnswer(object, 'its chain does not verify');
    child = issuer;
  }
  const { validFromDate: notBefore, validToDate: notAfter } = leaf;
  const early = notBefore.getTime() - at.getTime() > clockSkewMs;
  if (early || notAfter.getTime() <= at.getTime()) {
    throw badAnswer(
      object,
      `the certificate is valid from ${notBefore.toISOString()} to ${notAfter.toISOString()}, and it is ${at.toISOString()}`,
    );
  }
  return { chainDer: [leaf.raw, ...issuers.map((issuer) => issuer.raw)], notBefore, notAfter };
}

function badAnswer(object: string, why: string, cause?: unknown): AppError {
  return new AppError('ERR_FULCIO_ANSWER', `Fulcio's answer cannot be used: ${why}`, {
    kind: 'passing',
    object,
    remedy: 'Check that the address is that of a Fulcio with API v2, and that the clocks agree.',
    ...(cause === undefined ? {} : { cause }),
  });
}
