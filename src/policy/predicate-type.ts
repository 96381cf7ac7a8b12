const slsaV02 = 'https://slsa.dev/provenance/v0.2';
const spdx = 'https://spdx.dev/Document';

/** cosign's short names of predicate types (cosign 3.0.5, pkg/cosign/env and options/predicate.go). */
const shortNames: ReadonlyMap<string, string> = new Map([
  ['custom', 'https://cosign.sigstore.dev/attestation/v1'],
  ['slsaprovenance', slsaV02],
  ['slsaprovenance02', slsaV02],
  ['slsaprovenance1', 'https://slsa.dev/provenance/v1'],
  ['spdx', spdx],
  ['spdxjson', spdx],
  ['cyclonedx', 'https://cyclonedx.org/bom'],
  ['link', 'https://in-toto.io/Link/v1'],
  ['vuln', 'https://cosign.sigstore.dev/attestation/vuln/v1'],
  ['openvex', 'https://openvex.dev/ns'],
]);

/** The predicate type that a policy means: a short name's URI, or the text itself. */
export function resolvePredicateType(name: string): string {
  return shortNames.get(name) ?? name;
}

/** True for a predicate type that is a URI, as Go's `url.ParseRequestURI` takes it. */
export function isUri(predicateType: string): boolean {
  return /^(?:\/|[a-z][a-z0-9+.-]*:)[\x21-\x7e]*$/i.test(predicateType);
}
