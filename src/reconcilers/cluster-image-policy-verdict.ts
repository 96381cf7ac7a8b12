import type { Finding } from '../kube/conditions.ts';
import { eventReasons } from '../kube/events.ts';
import { isRecord } from '../kube/kube-object.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import type { AppError } from '../model/errors.ts';
import type { PolicyInput, ReadInput } from './cluster-image-policy-inputs.ts';
import type { ObjectVerdict } from './policy-object-status.ts';

/** How a policy fares. `stale`: in force, though something that it refers to could not be read anew. */
export type PolicyOutcome =
  | { readonly kind: 'in-force' }
  | { readonly kind: 'stale' | 'broken'; readonly fault: AppError; readonly inputs: readonly ReadInput[] };

// policy-controller's names for conditions and reasons, where it has one
const keysFailed = 'InliningKeysFailed';
const policiesFailed = 'InliningPoliciesFailed';

/** The conditions of a policy; messages name the field whose reference is at fault. */
export function verdictOn(object: KubeObject, outcome: PolicyOutcome): ObjectVerdict {
  if (outcome.kind === 'in-force') {
    const ready = finding('Ready', 'InForce', 'compiled and in force');
    return {
      findings: [ready, finding('KeysInlined', 'KeysInlined'), finding('PoliciesInlined', 'PoliciesInlined')],
      event: { type: 'Normal', reason: eventReasons.policyInForce },
    };
  }
  const why = describe(object, outcome.fault, outcome.inputs);
  if (outcome.kind === 'stale') {
    const ready = finding('Ready', 'Stale', `in force as it was compiled last; ${why}`);
    return {
      findings: [ready, finding('KeysInlined', 'KeysInlined'), finding('PoliciesInlined', 'PoliciesInlined')],
      event: { type: 'Warning', reason: eventReasons.policyStale },
    };
  }
  const reason = reasonOf(outcome.fault, outcome.inputs);
  const part = (type: string, failure: string): Finding => {
    if (reason === failure) return { type, status: 'False', reason, message: why };
    return { type, status: 'Unknown', reason: 'NotReached', message: 'see the condition Ready' };
  };
  return {
    findings: [
      { type: 'Ready', status: 'False', reason, message: `denies the images that it is about; ${why}` },
      part('KeysInlined', keysFailed),
      part('PoliciesInlined', policiesFailed),
    ],
    event: { type: 'Warning', reason: eventReasons.policyBroken },
  };
}

function finding(type: string, reason: string, message = ''): Finding {
  return { type, status: 'True', reason, message };
}

const reasonsByCode: Readonly<Record<string, string>> = {
  ERR_POLICY_INVALID: 'Invalid',
  ERR_POLICY_COMPILE: policiesFailed,
};

const reasonsByInput: Readonly<Record<PolicyInput['kind'], string>> = {
  secret: keysFailed,
  kms: keysFailed,
  configmap: policiesFailed,
  remote: policiesFailed,
  'trust-root': 'TrustRootFailed',
};

function reasonOf({ code, kind }: AppError, inputs: readonly ReadInput[]): string {
  const known = reasonsByCode[code];
  if (known !== undefined) return known;
  if (kind === 'passing') return 'Unavailable';
  const [failed] = failedOf(inputs);
  if (failed !== undefined) return reasonsByInput[failed.kind];
  // A Secret that is there, with something in it that is no key.
  return code === 'ERR_POLICY_REFERENCE' ? keysFailed : 'CompilationFailed';
}

function failedOf(inputs: readonly ReadInput[]): readonly PolicyInput[] {
  return inputs
    .filter(({ fingerprint }) => fingerprint === 'absent' || fingerprint.startsWith('fault '))
    .map(({ input }) => input);
}

function describe(object: KubeObject, fault: AppError, inputs: readonly ReadInput[]): string {
  const fields = failedOf(inputs).flatMap((input) => fieldsOf(object['spec'], 'spec', input));
  const where = fields.length === 0 ? '' : ` (${fields.slice(0, 10).join(', ')})`;
  const about = fault.code === 'ERR_POLICY_COMPILE' ? `${fault.object ?? ''}: ` : '';
  return `${fault.code}: ${about}${fault.message}${where}`;
}

/** Paths of the fields of a policy that refer to an input. */
function fieldsOf(value: unknown, path: string, input: PolicyInput): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((one, index) => fieldsOf(one, `${path}[${index}]`, input));
  if (!isRecord(value)) return [];
  return Object.entries(value).flatMap(([field, inner]) =>
    refersTo(field, inner, input) ? [`${path}.${field}`] : fieldsOf(inner, `${path}.${field}`, input),
  );
}

function refersTo(field: string, value: unknown, input: PolicyInput): boolean {
  const inner = isRecord(value) ? value : {};
  switch (input.kind) {
    case 'secret':
      return field === 'secretRef' && inner['name'] === input.name;
    case 'configmap':
      return field === 'configMapRef' && inner['name'] === input.name && inner['key'] === input.key;
    case 'remote':
      return field === 'remote' && inner['url'] === input.url;
    default:
      return field === (input.kind === 'kms' ? 'kms' : 'trustRootRef') && value === nameOf(input);
  }
}

function nameOf(input: PolicyInput & { readonly kind: 'kms' | 'trust-root' }): string | undefined {
  return input.kind === 'kms' ? input.uri : input.name;
}
