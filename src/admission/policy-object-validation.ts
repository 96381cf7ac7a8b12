import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../model/clock.ts';
import { isAppError } from '../model/errors.ts';
import { readClusterImagePolicy } from '../policy/cluster-image-policy.ts';
import type { ClusterImagePolicy } from '../policy/cluster-image-policy.ts';
import type { PolicyEngine } from '../policy/evaluation/policy-engine.ts';
import { formatFieldFaults } from '../policy/field-fault.ts';
import type { FieldFault } from '../policy/field-fault.ts';
import { readPolicyException } from '../policy/policy-exception.ts';
import type { ExceptionRules } from '../policy/policy-exception.ts';
import { listPolicyBodies, listPolicyWarnings } from '../policy/policy-warnings.ts';
import { readTrustRootObject } from '../policy/trust-root-object.ts';
import { openingFaults } from '../policy/trust-root-source.ts';
import { allow, refuse } from './admission-answer.ts';
import type { AdmissionAnswer } from './admission-answer.ts';
import { malformedReview } from './admission-fault.ts';
import { toWarnings } from './admission-message.ts';
import type { AdmissionRequest } from './admission-review.ts';
import { objectIn } from '../model/json-object.ts';
import type { JsonObject } from '../model/json-object.ts';

/** What validating policies takes. */
export interface PolicyObjectParts {
  readonly engine: Pick<PolicyEngine, 'compile'>;
  /** Our own: where the Secrets of policies lie. */
  readonly namespace: string;
  /** What the settings allow of exceptions. */
  readonly exceptions: ExceptionRules;
  readonly clock: Clock;
}

/**
 * Answers whether a ClusterImagePolicy or TrustRoot may be written, with policy-controller's rules and texts, or an
 * ImagePolicyException, by what the settings allow; CUE and Rego that does not compile is refused, too. What it refers to need not be there yet. Throws ERR_ADMISSION_REVIEW, and the
 * engine's passing faults.
 */
export async function validatePolicyObject(
  request: AdmissionRequest,
  parts: PolicyObjectParts,
  options: { readonly signal: AbortSignal },
): Promise<AdmissionAnswer> {
  const { operation, subResource, kind, object } = request;
  if ((operation !== 'CREATE' && operation !== 'UPDATE') || subResource === 'status') return allow();
  if (object === undefined) throw malformedReview(`${operation} without an object`);
  if (isUntouched(request)) return allow();
  switch (kind.kind) {
    case 'ClusterImagePolicy':
      return validatePolicy(object, parts, options);
    case 'TrustRoot':
      return validateTrustRoot(object, parts, options);
    case 'ImagePolicyException':
      return validateException(object, request, parts);
    default:
      throw malformedReview(`${kind.kind} is no ClusterImagePolicy, TrustRoot or ImagePolicyException`);
  }
}

/** A finalizer or label on an object that older rules let in must not be held up. */
function isUntouched({ operation, object, oldObject }: AdmissionRequest): boolean {
  if (operation !== 'UPDATE' || oldObject === undefined || object === undefined) return false;
  const partsOf = ({ metadata, spec }: JsonObject): unknown => [spec, objectIn(metadata)['annotations']];
  return isDeepStrictEqual(partsOf(object), partsOf(oldObject));
}

async function validatePolicy(
  object: JsonObject,
  { engine, namespace }: PolicyObjectParts,
  options: { readonly signal: AbortSignal },
): Promise<AdmissionAnswer> {
  const { policy, faults } = readClusterImagePolicy(object, namespace);
  if (policy === undefined) return refuseByRules(faults);
  const wrong = await compileFaults(policy, engine, options);
  const warnings = toWarnings(listPolicyWarnings(policy));
  return wrong.length === 0
    ? allow(warnings)
    : refuse(400, `validation failed: ${wrong.join('\n')}`, warnings);
}

async function validateTrustRoot(
  object: JsonObject,
  { clock }: PolicyObjectParts,
  { signal }: { readonly signal: AbortSignal },
): Promise<AdmissionAnswer> {
  const { name, spec, faults } = readTrustRootObject(object);
  if (name === undefined || spec === undefined) return refuseByRules(faults);
  const wrong = await openingFaults({ name, spec }, { clock, signal });
  return wrong.length === 0 ? allow() : refuseByRules(wrong);
}

/** One that is not honoured is refused, so that nobody relies on it; what settings come to forbid later denies by itself. */
function validateException(
  object: JsonObject,
  { namespace }: AdmissionRequest,
  { exceptions, clock }: PolicyObjectParts,
): AdmissionAnswer {
  const now = clock.now();
  const placed = { ...object, metadata: { ...objectIn(object['metadata']), namespace } };
  const { exception, faults } = readPolicyException(placed, exceptions, { now });
  if (exception === undefined) return refuse(400, `validation failed: ${faults.join('; ')}`);
  if (exception.expiresAt > now) return allow();
  return refuse(400, `validation failed: spec.expiresAt: ${exception.expiresAt.toISOString()} is past`);
}

/** policy-controller answers so (knative's FieldError). */
function refuseByRules(faults: readonly FieldFault[]): AdmissionAnswer {
  return refuse(400, `validation failed: ${formatFieldFaults(faults)}`);
}

async function compileFaults(
  policy: ClusterImagePolicy,
  engine: Pick<PolicyEngine, 'compile'>,
  options: { readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const { where, body } of listPolicyBodies(policy)) {
    const { type, data } = body;
    // What lies elsewhere may not be there yet; the policy denies until it is.
    if (data === undefined || data === '') continue;
    try {
      const language = type === 'rego' ? 'rego' : 'cue';
      const compiled = await engine.compile({ type: language, data, object: where }, options);
      await compiled.release();
    } catch (error) {
      if (!isAppError(error) || error.kind !== 'permanent' || error.code.startsWith('ERR_POLICY_ENGINE_'))
        throw error;
      faults.push(`${where}: ${error.message}`);
    }
  }
  return faults;
}
