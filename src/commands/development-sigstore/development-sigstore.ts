import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { readBounded } from '../../model/bounded-body.ts';
import { messageOf } from '../../model/errors.ts';
import { limits } from '../../model/limits.ts';
import { createDevelopmentAuthority } from './development-authority.ts';
import type { DevelopmentAuthority } from './development-authority.ts';
import { DevelopmentLog } from './development-log.ts';
import type { LogReply } from './development-log.ts';

/** A running Sigstore for development and the demo. */
export interface DevelopmentSigstore extends AsyncDisposable {
  readonly fulcioUrl: string;
  readonly rekorUrl: string;
  /** The OpenID Connect issuer that the tokens and certificates name. */
  readonly issuer: string;
  /** A `trusted_root.json` that trusts this Sigstore and nothing else. */
  readonly trustedRoot: object;
  /** A token of that subject, by default the one of the controller's ServiceAccount. */
  issueToken(subject?: string): Promise<string>;
}

/** How a {@link DevelopmentSigstore} is started. */
export interface DevelopmentSigstoreOptions {
  /** A loopback address; the port is random. Default: 127.0.0.1. */
  readonly host?: '127.0.0.1' | '::1';
  /** Default: https://kubernetes.golems.internal */
  readonly issuer?: string;
  /** The log's clock. Default: the machine's. */
  readonly now?: () => Date;
  /** Whether certificates carry a signed certificate timestamp. Default: true. */
  readonly certificateTransparency?: boolean;
}

/** What the servers say of themselves. */
export const developmentLabel = 'DEVELOPMENT SIGSTORE: nobody else trusts it';

const controllerSubject = 'system:serviceaccount:tekton-chains:tekton-chains-controller';
const entries = '/api/v1/log/entries';

/**
 * Starts a Sigstore in this process: token issuer, Fulcio with certificate transparency, and Rekor v1, behind one HTTP
 * server on loopback. DEVELOPMENT SIGSTORE: nobody else trusts it, and it forgets everything when it is disposed.
 */
export async function startDevelopmentSigstore(
  options: DevelopmentSigstoreOptions = {},
): Promise<DevelopmentSigstore> {
  const { host = '127.0.0.1', issuer = 'https://kubernetes.golems.internal' } = options;
  const authority = await createDevelopmentAuthority({
    issuer,
    certificateTransparency: options.certificateTransparency ?? true,
  });
  const server = createServer();
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://${host === '::1' ? '[::1]' : host}:${port}`;
  const log = new DevelopmentLog({ host: new URL(url).host, now: options.now ?? (() => new Date()) });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    void respond(request, response, { authority, log });
  });
  return {
    fulcioUrl: url,
    rekorUrl: url,
    issuer,
    trustedRoot: trustedRootOf({ url, authority, log }),
    issueToken: (subject = controllerSubject) => authority.issueToken(subject),
    [Symbol.asyncDispose]: () => close(server),
  };
}

interface Parts {
  readonly authority: DevelopmentAuthority;
  readonly log: DevelopmentLog;
}

async function respond(request: IncomingMessage, response: ServerResponse, parts: Parts): Promise<void> {
  let reply: LogReply;
  try {
    reply = await route(request, parts);
  } catch (error) {
    reply = { status: 400, body: { code: 400, message: messageOf(error).slice(0, 500) } };
  }
  const isText = typeof reply.body === 'string';
  response.writeHead(reply.status, {
    'content-type': isText ? 'application/x-pem-file' : 'application/json',
    'x-development': developmentLabel,
    ...(reply.location === undefined ? {} : { location: reply.location }),
  });
  response.end(isText ? reply.body : JSON.stringify(reply.body));
}

async function route(request: IncomingMessage, { authority, log }: Parts): Promise<LogReply> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://loopback');
  switch (`${request.method ?? ''} ${pathname}`) {
    case 'POST /api/v2/signingCert':
      return authority.issueCertificate(await readJson(request));
    case `POST ${entries}`:
      return log.append(await readJson(request));
    case `GET ${entries}`:
      return log.find({ logIndex: Number(searchParams.get('logIndex')) });
    case 'GET /api/v1/log/publicKey':
      return { status: 200, body: log.publicKeyPem };
    case `POST ${entries}/retrieve`:
      return log.lookUp(await readJson(request));
    case 'POST /api/v1/index/retrieve':
      return log.search(await readJson(request));
    default:
      if (request.method === 'GET' && pathname.startsWith(`${entries}/`)) {
        return log.find({ uuid: pathname.slice(entries.length + 1) });
      }
      return { status: 404, body: { code: 404, message: developmentLabel } };
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const bytes = await readBounded(request as AsyncIterable<Uint8Array>, {
    maxBytes: limits.logAnswerBytes,
    code: 'ERR_DEVELOPMENT_REQUEST',
    object: 'the client',
  });
  return JSON.parse(bytes.toString('utf8'));
}

function trustedRootOf({ url, authority, log }: Parts & { readonly url: string }): object {
  // Certificates count in whole seconds and the log too: a minute's grace for what starts within this second.
  const validFor = { start: new Date(Date.now() - 60_000).toISOString() };
  const logOf = (publicKeyDer: Uint8Array, id: Uint8Array): object => ({
    baseUrl: url,
    hashAlgorithm: 'SHA2_256',
    publicKey: { rawBytes: base64(publicKeyDer), keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor },
    logId: { keyId: base64(id) },
  });
  return {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [logOf(log.publicKeyDer, log.logId)],
    certificateAuthorities: [
      {
        subject: { organization: developmentLabel, commonName: 'development' },
        uri: url,
        certChain: { certificates: [{ rawBytes: base64(authority.rootDer) }] },
        validFor,
      },
    ],
    ctlogs: [logOf(authority.ctLog.publicKeyDer, authority.ctLog.id)],
    timestampAuthorities: [],
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}
