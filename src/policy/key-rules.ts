import { messageOf } from '../model/errors.ts';
import { parseCertificateIssuers } from '../signing/certificate-issuers.ts';
import { matching } from '../signing/certificate-identity.ts';
import { invalidValue, missingField, missingOneOf, multipleOneOf } from './field-fault.ts';
import type { FieldFault } from './field-fault.ts';
import { hashOf } from './key-reference.ts';
import { kmsFaults } from './kms-rules.ts';
import type { KeyRef, KeylessRef } from './policy-schema.ts';
import { parsePublicKey } from './public-key.ts';

type Identity = NonNullable<KeylessRef['identities']>[number];

interface KeyRuleOptions {
  readonly namespace: string;
  readonly parse?: (pem: string) => unknown;
}

/**
 * Faults of a key reference. `namespace` is that of the controller, where Secrets are looked for; `parse` gives undefined
 * for a text that holds no key.
 */
export function keyFaults(
  key: KeyRef,
  path: string,
  { namespace, parse = parsePublicKey }: KeyRuleOptions,
): readonly FieldFault[] {
  const { data = '', kms = '', secretRef } = key;
  const given = [data, kms, secretRef].filter((one) => one !== undefined && one !== '').length;
  const all = [`${path}.data`, `${path}.kms`, `${path}.secretref`];
  return [
    ...(given === 0 ? [missingOneOf(...all)] : []),
    ...(given > 1 ? [multipleOneOf(...all)] : []),
    ...(data !== '' && parse(data) === undefined ? [invalidValue(data, `${path}.data`)] : []),
    ...hashFaults(key, `${path}.hashAlgorithm`),
    ...secretNamespaceFaults(secretRef?.namespace, namespace, `${path}.secretref.namespace`),
    ...(kms === '' ? [] : kmsFaults(kms, `${path}.kms`)),
  ];
}

function hashFaults(key: KeyRef, path: string): readonly FieldFault[] {
  const { hashAlgorithm = '' } = key;
  return hashAlgorithm.trim() === '' || hashOf(key) !== undefined ? [] : [invalidValue(hashAlgorithm, path)];
}

function secretNamespaceFaults(
  given: string | undefined,
  namespace: string,
  path: string,
): readonly FieldFault[] {
  if (given === undefined || given === '' || given === namespace) return [];
  const why =
    'secretref.namespace is invalid. If set, it should use the same namespace where the policy-controller was deployed';
  return [invalidValue(given, path, why)];
}

/** Faults of a keyless reference; its `url` was given a default before. */
export function keylessFaults(keyless: KeylessRef, path: string, namespace: string): readonly FieldFault[] {
  const caCert = keyless['ca-cert'];
  const { url = '', identities = [] } = keyless;
  return [
    ...(caCert !== undefined && url !== '' ? [multipleOneOf(`${path}.ca-cert`, `${path}.url`)] : []),
    ...(caCert === undefined
      ? []
      : keyFaults(caCert, `${path}.ca-cert`, { namespace, parse: parseCertificateIssuers })),
    // For people to read only, so that a bare host serves, as in the reference.
    ...(/^[^\s\p{Cc}]*$/u.test(url) ? [] : [invalidValue(url, `${path}.url`)]),
    ...(identities.length === 0 ? [missingField(`${path}.identities`)] : []),
    ...identities.flatMap((identity, index) => identityFaults(identity, `${path}.identities[${index}]`)),
  ];
}

function identityFaults(identity: Identity, path: string): readonly FieldFault[] {
  const { issuer = '', issuerRegExp = '', subject = '', subjectRegExp = '' } = identity;
  return [
    ...pairFaults({ exact: issuer, pattern: issuerRegExp }, `${path}.issuer`),
    ...pairFaults({ exact: subject, pattern: subjectRegExp }, `${path}.subject`),
  ];
}

function pairFaults(
  { exact, pattern }: { readonly exact: string; readonly pattern: string },
  path: string,
): readonly FieldFault[] {
  const both = [path, `${path}RegExp`];
  if (exact === '' && pattern === '') return [missingField(...both)];
  return [
    ...(exact !== '' && pattern !== '' ? [multipleOneOf(...both)] : []),
    ...(pattern === '' ? [] : patternFaults(pattern, `${path}RegExp`)),
  ];
}

function patternFaults(pattern: string, path: string): readonly FieldFault[] {
  try {
    matching(pattern);
    return [];
  } catch (error) {
    const cause = error instanceof Error ? error.cause : error;
    return [invalidValue(pattern, path, `regex is invalid: ${messageOf(cause)}`)];
  }
}
