import { isAppError } from '../model/errors.ts';
import { disallowedFields, invalidValue, missingField, missingOneOf, multipleOneOf } from './field-fault.ts';
import type { FieldFault } from './field-fault.ts';
import { compileGlob, isFilePattern } from './image-glob.ts';
import { keyFaults, keylessFaults } from './key-rules.ts';
import type { AttestationSpec, AuthoritySpec, MatchRule, PolicyBody, PolicySpec } from './policy-schema.ts';

type Source = NonNullable<AuthoritySpec['source']>[number];

const resources = ['replicasets', 'deployments', 'pods', 'cronjobs', 'jobs', 'statefulsets', 'daemonsets'];

/** Everything that policy-controller's webhook refuses in a policy, with its texts. */
export function specFaults(spec: PolicySpec, namespace: string): readonly FieldFault[] {
  const { images, match, authorities, policy, mode } = spec;
  return [
    ...(images.length === 0 ? [missingField('spec.images')] : []),
    ...images.flatMap(({ glob = '' }, index) => globFaults(glob, `spec.images[${index}].glob`)),
    ...(authorities.length === 0 ? [missingField('spec.authorities')] : []),
    ...authorities.flatMap((one, index) => authorityFaults(one, `spec.authorities[${index}]`, namespace)),
    ...match.flatMap((one, index) => matchFaults(one, `spec.match[${index}]`)),
    // The reference gives these paths without "spec".
    ...(policy === undefined ? [] : bodyFaults(policy, 'policy')),
    ...(mode === 'enforce' || mode === 'warn' ? [] : [invalidValue(mode, 'spec.mode', 'unsupported mode')]),
  ];
}

function globFaults(glob: string, path: string): readonly FieldFault[] {
  if (glob === '') return [missingField(path)];
  if (!isFilePattern(glob)) {
    return [invalidValue(glob, path, 'glob is invalid: syntax error in pattern')];
  }
  try {
    compileGlob(glob);
    return [];
  } catch (error) {
    if (!isAppError(error)) throw error;
    return [invalidValue(glob, path, `glob is invalid: ${error.message}`)];
  }
}

function matchFaults(rule: MatchRule, path: string): readonly FieldFault[] {
  const { group = '', version = '', resource = '', selector } = rule;
  const selectsNothing = selector !== undefined && group === '' && version === '' && resource === '';
  return [
    ...(resource === '' || resources.includes(resource)
      ? []
      : [invalidValue(resource, `${path}.resource`, 'unsupported resource name')]),
    ...(selectsNothing
      ? [invalidValue('', `${path}.selector`, 'selector requires a resource type to match the labels')]
      : []),
  ];
}

function authorityFaults(authority: AuthoritySpec, path: string, namespace: string): readonly FieldFault[] {
  const { key, keyless, source = [], attestations = [] } = authority;
  const kinds = [`${path}.key`, `${path}.keyless`, `${path}.static`];
  const given = [key, keyless, authority.static].filter((one) => one !== undefined).length;
  // Both end the judgement of the authority: what else there is depends on which one is meant.
  if (given === 0) return [missingOneOf(...kinds)];
  if (given > 1) return [multipleOneOf(...kinds)];
  return [
    ...(key === undefined ? [] : keyFaults(key, `${path}.key`, { namespace })),
    ...(keyless === undefined ? [] : keylessFaults(keyless, `${path}.keyless`, namespace)),
    ...staticFaults(authority, path),
    ...formatFaults(authority, path),
    ...(source.length > 1
      ? [invalidValue('source', `${path}.source`, 'only single source is supported')]
      : []),
    ...source.flatMap((one, index) => sourceFaults(one, `${path}.source[${index}]`)),
    // Without an index, as the reference has it.
    ...attestations.flatMap((one) => attestationFaults(one, `${path}.attestations`)),
  ];
}

function staticFaults(authority: AuthoritySpec, path: string): readonly FieldFault[] {
  const { static: rule, attestations = [], source = [], ctlog, rfc3161timestamp } = authority;
  if (rule === undefined) return [];
  const { action = '' } = rule;
  const misplaced = [
    ...(attestations.length > 0 ? ['attestations'] : []),
    ...(source.length > 0 ? ['source'] : []),
    ...(ctlog === undefined ? [] : ['ctlog']),
    ...(rfc3161timestamp === undefined ? [] : ['rfc3161timestamp']),
  ];
  return [
    ...(action === '' ? [missingField(`${path}.static.action`)] : []),
    ...(['', 'fail', 'pass'].includes(action)
      ? []
      : [invalidValue(action, `${path}.static.action`, 'unsupported action')]),
    ...(misplaced.length === 0
      ? []
      : [multipleOneOf(...[...misplaced, 'static'].map((field) => `${path}.${field}`))]),
  ];
}

/** The reference takes any other word for legacy, so that a slip of the pen changes what counts. */
function formatFaults({ signatureFormat = '' }: AuthoritySpec, path: string): readonly FieldFault[] {
  return ['', 'legacy', 'bundle'].includes(signatureFormat)
    ? []
    : [invalidValue(signatureFormat, `${path}.signatureFormat`, 'only [legacy,bundle] are supported')];
}

function sourceFaults({ oci = '', signaturePullSecrets = [] }: Source, path: string): readonly FieldFault[] {
  const why = oci === '' ? undefined : ociFault(oci);
  return [
    ...(why === undefined ? [] : [invalidValue(oci, `${path}.oci`, why)]),
    ...signaturePullSecrets.flatMap(({ name = '' }, index) =>
      name === '' ? [missingField(`${path}.signaturePullSecrets[${index}].name`)] : [],
    ),
  ];
}

const repositoryCharacters = 'abcdefghijklmnopqrstuvwxyz0123456789_-./';

/** go-containerregistry's strict check of a repository, or of a registry alone where no host can be told. */
function ociFault(oci: string): string | undefined {
  const slash = oci.indexOf('/');
  const host = oci.slice(0, Math.max(slash, 0));
  if (!/[.:]/.test(host)) return registryFault(oci);
  return repositoryFault(oci.slice(slash + 1)) ?? registryFault(host);
}

function registryFault(registry: string): string | undefined {
  const isAuthority = /^[\w.~\-:[\]]+$/.test(registry) && URL.canParse(`https://${registry}`);
  return isAuthority ? undefined : `registries must be valid RFC 3986 URI authorities: ${registry}`;
}

function repositoryFault(repository: string): string | undefined {
  if (repository.length < 2 || repository.length > 255) {
    return `repository must be between 2 and 255 characters in length: ${repository}`;
  }
  return /^[a-z\d_\-./]*$/.test(repository)
    ? undefined
    : `repository can only contain the characters \`${repositoryCharacters}\`: ${repository}`;
}

function attestationFaults(attestation: AttestationSpec, path: string): readonly FieldFault[] {
  const { name = '', predicateType = '', policy } = attestation;
  const misplaced = (['fetchConfigFile', 'includeSpec', 'includeObjectMeta', 'includeTypeMeta'] as const)
    .filter((field) => policy?.[field] !== undefined)
    .map((field) => disallowedFields(`${path}.policy.${field}`));
  return [
    ...(name === '' ? [missingField(`${path}.name`)] : []),
    ...(predicateType === '' ? [missingField(`${path}.predicateType`)] : []),
    ...(policy === undefined ? [] : bodyFaults(policy, `${path}.policy`)),
    ...misplaced,
  ];
}

function bodyFaults(body: PolicyBody, path: string): readonly FieldFault[] {
  const { type = '', data = '', remote, configMapRef } = body;
  const given = [data === '' ? undefined : data, remote, configMapRef].filter((one) => one !== undefined);
  const all = [`${path}.configMapRef`, `${path}.data`, `${path}.remote`];
  return [
    ...(type === 'cue' || type === 'rego'
      ? []
      : [invalidValue(type, `${path}.type`, 'only [cue,rego] are supported at the moment')]),
    ...(given.length === 0 ? [missingField(...all)] : []),
    ...(given.length > 1 ? [multipleOneOf(...all)] : []),
    ...(remote === undefined ? [] : remoteFaults(remote, `${path}.remote`)),
    ...(['name', 'key'] as const)
      .filter((field) => configMapRef !== undefined && (configMapRef[field] ?? '') === '')
      .map((field) => missingField(`${path}.configMapRef.${field}`)),
  ];
}

function remoteFaults(
  { url = '', sha256sum = '' }: NonNullable<PolicyBody['remote']>,
  path: string,
): readonly FieldFault[] {
  const isUsable = URL.canParse(url) && url.startsWith('https://');
  const why = 'url valid is invalid. host and https scheme are expected';
  return [
    ...(url === '' ? [missingField(`${path}.url`)] : []),
    ...(url === '' || isUsable ? [] : [invalidValue(url, `${path}.url`, why)]),
    ...(sha256sum === '' ? [missingField(`${path}.sha256sum`)] : []),
    ...(sha256sum === '' || /^[\da-f]{64}$/i.test(sha256sum)
      ? []
      : [invalidValue(sha256sum, `${path}.sha256sum`, 'not a SHA-256 in hex: no content would ever match')]),
  ];
}
