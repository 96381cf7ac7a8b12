import { createServer } from 'node:https';
import type { Server, ServerOptions } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError, messageOf } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import type { ServingCertificate } from '../model/serving-certificate.ts';
import { addressOf, listenOn } from '../telemetry/listening.ts';
import { admissionLimits, admissionTimes } from './admission-limits.ts';
import type { AdmissionMetrics } from '../telemetry/admission-metrics.ts';
import { RequestGate } from './request-gate.ts';
import { answerCall } from './review-call.ts';
import type { ReviewRoute } from './review-call.ts';

/** What is served where. */
export interface AdmissionServerOptions {
  /** `HOST:PORT` or `:PORT` (all interfaces); port 0 takes a free one. */
  readonly address: string;
  readonly certificate: ServingCertificate;
  /** By path, e.g. `/validate`. */
  readonly routes: ReadonlyMap<string, ReviewRoute>;
  /** `timeoutSeconds` of the WebhookConfigurations, in milliseconds. */
  readonly timeoutMs: number;
  readonly metrics: Pick<AdmissionMetrics, 'reviewTook'>;
  readonly log: Log;
  /** Bounds other than the room's, for tests. */
  readonly gate?: RequestGate;
}

/** A server that listens. */
export interface AdmissionServer {
  /** `HOST:PORT` that it really listens on. */
  readonly address: string;
  /** Shows another certificate from the next handshake on; connections that are open stay. */
  useCertificate(certificate: ServingCertificate): void;
  /** Goes on answering, and has callers open their next connections elsewhere. */
  drain(): void;
  /** Takes no new connections, lets calls under way finish for at most `drainMs`, then ends every connection. */
  close(options: { readonly drainMs: number }): Promise<void>;
}

/** Serves AdmissionReviews over HTTPS with TLS 1.3. Throws ERR_ADMISSION_ADDRESS, ERR_ADMISSION_LISTEN,
 * ERR_ADMISSION_CERTIFICATE. */
export async function startAdmissionServer(options: AdmissionServerOptions): Promise<AdmissionServer> {
  const { routes, timeoutMs, metrics, log, gate = new RequestGate() } = options;
  let isDraining = false;
  const parts = { routes, gate, timeoutMs, metrics, log, isDraining: () => isDraining };
  const server = openServer(options.certificate, (request, response) => {
    void answerCall(request, response, parts);
  });
  server.maxConnections = admissionLimits.connections;
  server.on('tlsClientError', (error) => {
    log.debug('a TLS handshake failed', { error: messageOf(error) });
  });
  await listenOn(server, options.address, {
    malformed: 'ERR_ADMISSION_ADDRESS',
    refused: 'ERR_ADMISSION_LISTEN',
    setting: 'webhook.address',
  });
  return {
    address: addressOf(server),
    useCertificate: (certificate) => {
      setCertificate(server, certificate);
    },
    drain: () => {
      isDraining = true;
    },
    close: async ({ drainMs }) => {
      isDraining = true;
      await close(server, drainMs);
    },
  };
}

function openServer(
  certificate: ServingCertificate,
  onRequest: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  const options: ServerOptions = {
    ...tlsOf(certificate),
    headersTimeout: admissionTimes.headersMs,
    requestTimeout: admissionTimes.requestMs,
    keepAliveTimeout: admissionTimes.keepAliveMs,
    handshakeTimeout: admissionTimes.headersMs,
    maxHeaderSize: 16_384,
    noDelay: true,
  };
  return withCertificate(() => createServer(options, onRequest));
}

function setCertificate(server: Server, certificate: ServingCertificate): void {
  withCertificate(() => {
    server.setSecureContext(tlsOf(certificate));
  });
}

function tlsOf({
  certificatePem,
  keyPem,
}: ServingCertificate): Pick<ServerOptions, 'cert' | 'key' | 'minVersion'> {
  return { cert: certificatePem, key: keyPem, minVersion: 'TLSv1.3' };
}

function withCertificate<Result>(use: () => Result): Result {
  try {
    return use();
  } catch (error) {
    throw new AppError(
      'ERR_ADMISSION_CERTIFICATE',
      `the serving certificate is unusable: ${messageOf(error)}`,
      {
        kind: 'permanent',
        remedy: 'Give a certificate and the private key that belongs to it, both PEM.',
      },
    );
  }
}

async function close(server: Server, drainMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  server.closeIdleConnections();
  const timer = setTimeout(() => {
    server.closeAllConnections();
  }, drainMs);
  await closed;
  clearTimeout(timer);
}
