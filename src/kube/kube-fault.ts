import { AppError, faultKindOfStatus, fromHttpFault } from '../model/errors.ts';
import type { FaultKind } from '../model/errors.ts';
import { isRecord } from './kube-object.ts';

/** What was asked of the API server, for messages: `{verb: 'patch', resource: 'taskruns.tekton.dev', object: 'ns/name'}`. */
export interface KubeCall {
  /** RBAC verb. */
  readonly verb: string;
  /** Plural with group, as RBAC names it. */
  readonly resource: string;
  readonly object: string;
}

/** A refusal: HTTP status, the `Status` object of the body if there was one, and the pause that the server asks for. */
export interface KubeRefusal {
  readonly status: number;
  readonly body: unknown;
  readonly retryAfterMs?: number | undefined;
}

interface Meaning {
  readonly code: string;
  readonly kind: FaultKind;
  readonly remedy: string;
}

const maxMessage = 500;

/**
 * Translates a refusal of the API server: ERR_KUBE_NOT_FOUND, ERR_KUBE_CONFLICT, ERR_KUBE_FORBIDDEN,
 * ERR_KUBE_UNAUTHORIZED, ERR_KUBE_GONE, ERR_KUBE_INVALID or ERR_KUBE_BUSY.
 */
export function fromRefusal(refusal: KubeRefusal, call: KubeCall): AppError {
  const meaning = meaningOf(refusal, call);
  const said = isRecord(refusal.body) ? refusal.body['message'] : undefined;
  const reason = typeof said === 'string' && said !== '' ? `: ${said.slice(0, maxMessage)}` : '';
  const retryAfterMs = refusal.retryAfterMs ?? statusRetryMs(refusal.body);
  return new AppError(
    meaning.code,
    `the API server refuses to ${call.verb} ${call.resource} ${call.object} (${refusal.status})${reason}`,
    {
      kind: meaning.kind,
      object: call.object,
      remedy: meaning.remedy,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
  );
}

function meaningOf(refusal: KubeRefusal, call: KubeCall): Meaning {
  if (isGone(refusal)) return { code: 'ERR_KUBE_GONE', kind: 'passing', remedy: 'List again.' };
  switch (refusal.status) {
    case 401:
      return {
        code: 'ERR_KUBE_UNAUTHORIZED',
        kind: 'passing',
        remedy: 'Check the token or client certificate; it is read again before each try.',
      };
    case 403:
      return {
        code: 'ERR_KUBE_FORBIDDEN',
        kind: 'permanent',
        remedy: `Grant the verb "${call.verb}" on "${call.resource}" to this ServiceAccount by RBAC.`,
      };
    case 404:
      return {
        code: 'ERR_KUBE_NOT_FOUND',
        kind: 'permanent',
        remedy: 'Check the name, and that the CustomResourceDefinition is installed.',
      };
    case 409:
      return { code: 'ERR_KUBE_CONFLICT', kind: 'passing', remedy: 'Read the object again and repeat.' };
    default:
      return faultKindOfStatus(refusal.status) === 'passing'
        ? { code: 'ERR_KUBE_BUSY', kind: 'passing', remedy: 'Wait: this is tried again.' }
        : { code: 'ERR_KUBE_INVALID', kind: 'permanent', remedy: 'Mend the object as the message says.' };
  }
}

// an expired resourceVersion is 410; one from the future (etcd was restored) is a 504 with this cause: both want a new list
function isGone(refusal: KubeRefusal): boolean {
  if (refusal.status === 410) return true;
  if (refusal.status !== 504 || !isRecord(refusal.body)) return false;
  const details = refusal.body['details'];
  const causes =
    isRecord(details) && Array.isArray(details['causes']) ? (details['causes'] as unknown[]) : [];
  return causes.some((cause) => isRecord(cause) && cause['reason'] === 'ResourceVersionTooLarge');
}

function statusRetryMs(body: unknown): number | undefined {
  const details = isRecord(body) ? body['details'] : undefined;
  const seconds = isRecord(details) ? details['retryAfterSeconds'] : undefined;
  return typeof seconds === 'number' && seconds > 0 ? Math.min(seconds, 600) * 1000 : undefined;
}

const tlsCode = /^(?:CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|EPROTO$)/;

/** Translates what a request threw: ERR_KUBE_UNREACHABLE (passing), or ERR_KUBE_TLS where no trusted channel came up. */
export function fromKubeFault(error: unknown, server: string): AppError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code === 'string' && tlsCode.test(code)) {
    return new AppError('ERR_KUBE_TLS', `no trusted connection to the API server at ${server}: ${code}`, {
      kind: 'passing',
      object: server,
      remedy: 'Check the certificate authority in the kubeconfig or the ServiceAccount volume.',
      cause: error,
    });
  }
  return fromHttpFault(error, 'ERR_KUBE_UNREACHABLE', server);
}
