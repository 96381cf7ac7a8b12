import { AppError } from '../model/errors.ts';
import type { ClusterImagePolicy } from './cluster-image-policy.ts';
import type { AuthoritySpec, KeyRef, PolicyBody } from './policy-schema.ts';

/** The fields of a policy that policy-controller knows and that are not implemented here. */
export function listUnsupportedFields({ authorities, policy }: ClusterImagePolicy): readonly string[] {
  return [
    ...authorities.flatMap((authority) =>
      inAuthority(authority).map((field) => `authority ${authority.name}: ${field}`),
    ),
    ...inBody(policy).map((field) => `policy.${field}`),
    ...(policy?.fetchConfigFile === true ? ['policy.fetchConfigFile'] : []),
  ];
}

/** ERR_POLICY_UNSUPPORTED: fields that are not implemented here. */
export function unsupported(object: string, fields: readonly string[]): AppError {
  return new AppError('ERR_POLICY_UNSUPPORTED', `${object}: not supported yet: ${fields.join(', ')}`, {
    kind: 'permanent',
    object,
    remedy: 'Write it without them; until then a policy denies every image that it matches.',
  });
}

function inAuthority({ key, keyless, source = [], attestations = [] }: AuthoritySpec): readonly string[] {
  return [
    ...inKey(key).map((field) => `key.${field}`),
    ...(keyless?.['ca-cert'] === undefined ? [] : ['keyless.ca-cert']),
    ...(source.some(({ tagPrefix = '' }) => tagPrefix !== '') ? ['source.tagPrefix'] : []),
    ...attestations.flatMap(({ name = '', policy }) =>
      inBody(policy).map((field) => `attestation ${name}: policy.${field}`),
    ),
  ];
}

function inKey({ kms = '', hashAlgorithm = '' }: KeyRef = {}): readonly string[] {
  const algorithm = hashAlgorithm.trim().toLowerCase();
  return [
    ...(kms === '' ? [] : ['kms']),
    ...(algorithm === '' || algorithm === 'sha256' ? [] : [`hashAlgorithm ${algorithm}`]),
  ];
}

function inBody(body: PolicyBody | undefined): readonly string[] {
  return body?.remote === undefined ? [] : ['remote'];
}
