import type { AppError } from '../model/errors.ts';
import { admissionLimits } from './admission-limits.ts';

/** One step of a JSON patch (RFC 6902). */
export interface PatchStep {
  readonly op: 'replace';
  /** JSON pointer (RFC 6901). */
  readonly path: string;
  readonly value: string;
}

/** What the API server is told. */
export interface AdmissionAnswer {
  readonly allowed: boolean;
  /** Why not; absent where allowed. */
  readonly refusal?: Refusal;
  /** Shown to the user, one line each. */
  readonly warnings: readonly string[];
  readonly patch?: readonly PatchStep[];
}

/** A refusal as Kubernetes' Status has it. */
export interface Refusal {
  readonly code: 400 | 403 | 500 | 503;
  readonly message: string;
}

const reasons = {
  400: 'BadRequest',
  403: 'Forbidden',
  500: 'InternalError',
  503: 'ServiceUnavailable',
} as const;

/** Allows, with warnings if there are any. */
export function allow(warnings: readonly string[] = []): AdmissionAnswer {
  return { allowed: true, warnings };
}

/** Refuses. */
export function refuse(
  code: Refusal['code'],
  message: string,
  warnings: readonly string[] = [],
): AdmissionAnswer {
  return { allowed: false, refusal: { code, message }, warnings };
}

/** Refuses because of a fault that says nothing about the object: 503 where waiting helps, else 500. */
export function refuseByFault(fault: AppError): AdmissionAnswer {
  const next = fault.remedy === undefined ? '' : `. Next: ${fault.remedy}`;
  const message = `nothing was verified: ${fault.message.replace(/\.$/, '')}${next}`;
  return refuse(fault.kind === 'passing' ? 503 : 500, message);
}

/** The AdmissionReview (admission.k8s.io/v1) that answers the request of that UID, as JSON. */
export function formatAdmissionReview(uid: string, answer: AdmissionAnswer): string {
  const { allowed, refusal, warnings, patch = [] } = answer;
  const status =
    refusal === undefined
      ? {}
      : {
          status: {
            status: 'Failure',
            code: refusal.code,
            reason: reasons[refusal.code],
            message: clipBytes(refusal.message, admissionLimits.messageBytes),
          },
        };
  const change =
    patch.length === 0
      ? {}
      : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') };
  return JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid, allowed, ...status, ...(warnings.length === 0 ? {} : { warnings }), ...change },
  });
}

/** The beginning of a text that takes at most `max` bytes in UTF-8. */
export function clipBytes(text: string, max: number): string {
  const bytes = Buffer.from(text);
  if (bytes.byteLength <= max) return text;
  // A character that was cut through is left out.
  const kept = bytes.subarray(0, max - 3).toString('utf8');
  return `${kept.replace(/\uFFFD$/, '')}…`;
}
