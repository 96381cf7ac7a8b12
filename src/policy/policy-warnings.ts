import type { ClusterImagePolicy } from './cluster-image-policy.ts';
import { formatFieldFaults, invalidValue } from './field-fault.ts';
import type { PolicyBody } from './policy-schema.ts';
import { isUri, resolvePredicateType } from './predicate-type.ts';

/** The short names that policy-controller warns of. */
const deprecated = ['custom', 'slsaprovenance', 'spdx', 'spdxjson', 'cyclonedx', 'link', 'vuln'];

/** A CUE or Rego body in a policy, and what it belongs to. */
export interface PlacedBody {
  /** The attestation's name, or `ClusterImagePolicy`. */
  readonly where: string;
  readonly body: PolicyBody;
}

/** The bodies of a policy. */
export function listPolicyBodies({ authorities, policy }: ClusterImagePolicy): readonly PlacedBody[] {
  const ofAttestations = authorities.flatMap(({ attestations = [] }) =>
    attestations.flatMap(({ name: where = '', policy: body }) =>
      body === undefined ? [] : [{ where, body }],
    ),
  );
  return policy === undefined
    ? ofAttestations
    : [...ofAttestations, { where: 'ClusterImagePolicy', body: policy }];
}

/** What a policy may say and hardly means: globs that never match, fields without effect, names used twice. */
export function listPolicyWarnings(policy: ClusterImagePolicy): readonly string[] {
  return [
    ...listGlobWarnings(policy),
    ...policy.authorities.flatMap(authorityWarnings),
    ...predicateTypeWarnings(policy),
    ...(new Set(policy.authorities.map(({ name }) => name)).size < policy.authorities.length
      ? ['two authorities have the same name: a policy over all of them sees one']
      : []),
    ...(policy.evaluation === 'permissive'
      ? ['permissive: image signatures are not checked beside attestations, and absent fields pass']
      : []),
  ];
}

/** Globs of a policy that match no image at admission, each in words. */
export function listGlobWarnings({ images }: Pick<ClusterImagePolicy, 'images'>): readonly string[] {
  return images.flatMap(globWarnings);
}

/** At admission an image is HOST/PATH@sha256:HEX: no tag, and no short name. */
function globWarnings(glob: string): readonly string[] {
  const isShort = glob === '*' || glob === '*/*';
  const [host = ''] = glob.split('/');
  const canBeHost = isShort || host.includes('.') || host.includes(':') || host.includes('*');
  return [
    ...(hasTag(glob) ? [`${glob} has a tag: images are judged by digest, so it matches none`] : []),
    ...(!hasTag(glob) && !/\*$|@sha256:[\da-f]{64}$/.test(glob)
      ? [`${glob} matches no image: let it end with * or with a digest`]
      : []),
    ...(canBeHost
      ? []
      : [`${glob} has no registry: of Docker Hub's images the names begin with index.docker.io/`]),
    ...(host === 'docker.io' ? [`${glob} matches no image: of Docker Hub the name is index.docker.io`] : []),
  ];
}

function hasTag(glob: string): boolean {
  const [name = ''] = glob.split('@');
  return name.includes(':', name.lastIndexOf('/') + 1) && name.includes('/');
}

function authorityWarnings({
  name,
  keyless,
  source = [],
}: ClusterImagePolicy['authorities'][number]): readonly string[] {
  const open = (keyless?.identities ?? []).some(({ issuerRegExp = '', subjectRegExp = '' }) =>
    [issuerRegExp, subjectRegExp].includes('.*'),
  );
  return [
    ...(open ? [`authority ${name}: an identity of .* is anybody's`] : []),
    ...(keyless?.insecureIgnoreSCT === true
      ? [`authority ${name}: certificates that no transparency log saw are accepted`]
      : []),
    ...(source.some(({ signaturePullSecrets = [] }) => signaturePullSecrets.length > 0)
      ? [`authority ${name}: signaturePullSecrets are read in a cluster only`]
      : []),
  ];
}

function predicateTypeWarnings({ authorities }: ClusterImagePolicy): readonly string[] {
  const faults = authorities.flatMap(({ attestations = [] }, index) =>
    attestations
      .map(({ predicateType = '' }) => predicateType)
      .filter((type) => deprecated.includes(type) || !isUri(type))
      .map((type) => {
        const path = `spec.authorities[${index}].attestations.predicateType`;
        const full = resolvePredicateType(type);
        const meant = full === type ? '' : `; here it means ${full}`;
        return invalidValue(type, path, `deprecated value, please use RFC 3986 conformant values${meant}`);
      }),
  );
  return faults.map((fault) => formatFieldFaults([fault]).replaceAll('\n', ': '));
}
