import { hash } from 'node:crypto';
import { AppError } from '../model/errors.ts';
import { parseTrustRoot } from '../signing/trust-root.ts';
import type { TrustRoot } from '../signing/trust-root.ts';
import { invalidObject } from './cluster-image-policy.ts';
import { missingField, missingOneOf, multipleOneOf } from './field-fault.ts';
import type { FieldFault } from './field-fault.ts';
import { parseShape } from './object-shape.ts';
import { trustRootShape } from './policy-schema.ts';
import type { SigstoreKeys } from './policy-schema.ts';
import { parsePublicKey } from './public-key.ts';
import { unsupported } from './unsupported-field.ts';

type TransparencyLog = SigstoreKeys['tLogs'][number];
type Authority = SigstoreKeys['certificateAuthorities'][number];

/** A `policy.sigstore.dev` TrustRoot, ready for use. */
export interface NamedTrustRoot {
  readonly name: string;
  readonly trustRoot: TrustRoot;
}

/**
 * Reads a `policy.sigstore.dev/v1alpha1` TrustRoot with its keys in the object. Throws ERR_POLICY_INVALID with all faults,
 * ERR_POLICY_UNSUPPORTED for a TUF repository, and ERR_TRUST_ROOT for keys and certificates that cannot be read.
 */
export function parseTrustRootObject(value: unknown): NamedTrustRoot {
  const { parsed, faults } = parseShape(trustRootShape, value);
  const all = [...faults, ...(parsed === undefined ? [] : sourceFaults(parsed.spec))];
  if (parsed === undefined || all.length > 0) throw invalidObject('TrustRoot', value, all);
  const { name } = parsed.metadata;
  const { sigstoreKeys } = parsed.spec;
  if (sigstoreKeys === undefined) {
    throw unsupported(`TrustRoot ${name}`, [parsed.spec.remote === undefined ? 'repository' : 'remote']);
  }
  const document = JSON.stringify(toDocument(sigstoreKeys, name));
  return { name, trustRoot: parseTrustRoot(document, `TrustRoot ${name}`) };
}

function sourceFaults({
  repository,
  remote,
  sigstoreKeys,
}: {
  readonly repository?: unknown;
  readonly remote?: unknown;
  readonly sigstoreKeys?: SigstoreKeys;
}): readonly FieldFault[] {
  const all = ['spec.remote', 'spec.repository', 'spec.sigstoreKeys'];
  const given = [repository, remote, sigstoreKeys].filter((one) => one !== undefined).length;
  if (given !== 1) return [given === 0 ? missingOneOf(...all) : multipleOneOf(...all)];
  if (sigstoreKeys === undefined) return [];
  const path = 'spec.sigstoreKeys';
  const { certificateAuthorities, timestampAuthorities, tLogs, ctLogs } = sigstoreKeys;
  const isEmpty = certificateAuthorities.length === 0 && timestampAuthorities.length === 0;
  return [
    ...(isEmpty ? [missingOneOf(`${path}.certificateAuthorities`, `${path}.timestampAuthorities`)] : []),
    ...chainFaults(certificateAuthorities, `${path}.certificateAuthorities`),
    ...chainFaults(timestampAuthorities, `${path}.timestampAuthorities`),
    ...logFaults(tLogs, `${path}.tLogs`),
    ...logFaults(ctLogs, `${path}.ctLogs`),
  ];
}

function chainFaults(authorities: readonly Authority[], path: string): readonly FieldFault[] {
  return authorities.flatMap(({ certChain = '' }, index) =>
    certChain === '' ? [missingField(`${path}[${index}].certChain`)] : [],
  );
}

function logFaults(logs: readonly TransparencyLog[], path: string): readonly FieldFault[] {
  return logs.flatMap((log, index) =>
    (['baseURL', 'publicKey'] as const)
      .filter((field) => (log[field] ?? '') === '')
      .map((field) => missingField(`${path}[${index}].${field}`)),
  );
}

/** The same trust as a `trusted_root.json`. The object states no validity, so all of it counts from the beginning. */
function toDocument(keys: SigstoreKeys, name: string): object {
  const toLog = (log: TransparencyLog): object => logDocument(log, name);
  return {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: keys.tLogs.map(toLog),
    ctlogs: keys.ctLogs.map(toLog),
    certificateAuthorities: keys.certificateAuthorities.map(authorityDocument),
    timestampAuthorities: keys.timestampAuthorities.map(authorityDocument),
  };
}

const validFor = { start: '1970-01-01T00:00:00Z' };

function authorityDocument({ certChain = '', subject = {}, uri = '' }: Authority): object {
  const pem = Buffer.from(certChain, 'base64').toString('latin1');
  const blocks = [...pem.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g)];
  const certificates = blocks.map(([, body = '']) => ({ rawBytes: body.replaceAll(/\s/g, '') }));
  return { subject, uri, certChain: { certificates }, validFor };
}

function logDocument({ baseURL = '', publicKey = '' }: TransparencyLog, name: string): object {
  const key = parsePublicKey(Buffer.from(publicKey, 'base64').toString('latin1'));
  if (key === undefined) {
    throw new AppError('ERR_TRUST_ROOT', `TrustRoot ${name}: the key of ${baseURL} is no public key in PEM`, {
      kind: 'permanent',
      object: name,
      remedy: 'Give publicKey as base64 of a PEM public key.',
    });
  }
  const spki = key.export({ format: 'der', type: 'spki' });
  const isRsa = key.asymmetricKeyType === 'rsa';
  const der = isRsa ? key.export({ format: 'der', type: 'pkcs1' }) : spki;
  return {
    baseUrl: baseURL,
    hashAlgorithm: 'SHA2_256',
    publicKey: { rawBytes: der.toString('base64'), keyDetails: keyDetails(key.asymmetricKeyType), validFor },
    logId: { keyId: hash('sha256', spki, 'buffer').toString('base64') },
  };
}

function keyDetails(type: string | undefined): string {
  if (type === 'rsa') return 'PKCS1_RSA_PKCS1V5';
  return type === 'ed25519' ? 'PKIX_ED25519' : 'PKIX_ECDSA_P256_SHA_256';
}
