import { X509Certificate } from 'node:crypto';
import { messageOf } from '../model/errors.ts';
import { invalidValue, missingField, missingOneOf, multipleOneOf } from './field-fault.ts';
import type { FieldFault } from './field-fault.ts';
import type { SigstoreKeys, TrustRootSpec, TufRemoteSpec, TufRepositorySpec } from './policy-schema.ts';
import { parsePublicKey } from './public-key.ts';
import { decodeBase64, listCertificates } from './trusted-keys.ts';

type TransparencyLog = SigstoreKeys['tLogs'][number];
type Authority = SigstoreKeys['certificateAuthorities'][number];

/**
 * Everything that policy-controller's webhook refuses in a TrustRoot, with its texts, of every element of every list;
 * and keys and certificates that cannot be read, which the reference finds only when it uses them.
 */
export function trustRootFaults({ repository, remote, sigstoreKeys }: TrustRootSpec): readonly FieldFault[] {
  const all = ['spec.remote', 'spec.repository', 'spec.sigstoreKeys'];
  const given = [repository, remote, sigstoreKeys].filter((one) => one !== undefined).length;
  if (given !== 1) return [given === 0 ? missingOneOf(...all) : multipleOneOf(...all)];
  return [
    ...(repository === undefined ? [] : repositoryFaults(repository, 'spec.repository')),
    ...(remote === undefined ? [] : remoteFaults(remote, 'spec.remote')),
    ...(sigstoreKeys === undefined ? [] : keysFaults(sigstoreKeys, 'spec.sigstoreKeys')),
  ];
}

function repositoryFaults(spec: TufRepositorySpec, path: string): readonly FieldFault[] {
  const { mirrorFS = '' } = spec;
  return [
    ...rootFaults(spec, `${path}.root`),
    ...(mirrorFS === '' ? [missingField(`${path}.mirrorFS`)] : archiveFaults(mirrorFS, `${path}.mirrorFS`)),
  ];
}

function remoteFaults(spec: TufRemoteSpec, path: string): readonly FieldFault[] {
  const { mirror = '' } = spec;
  const isUsable = /^https?:\/\//.test(mirror) && URL.canParse(mirror);
  return [
    ...(mirror === '' ? [missingField(`${path}.mirror`)] : []),
    ...(mirror === '' || isUsable
      ? []
      : [invalidValue(mirror, `${path}.mirror`, 'not an http or https URL')]),
    ...rootFaults(spec, `${path}.root`),
  ];
}

function rootFaults({ root = '' }: TufRemoteSpec | TufRepositorySpec, path: string): readonly FieldFault[] {
  if (root === '') return [missingField(path)];
  const bytes = decodeBase64(root);
  if (bytes === undefined) return [invalidValue('failed to unmarshal', path, 'illegal base64 data')];
  try {
    const document: unknown = JSON.parse(bytes.toString('utf8'));
    const isSigned = typeof document === 'object' && document !== null && 'signatures' in document;
    return isSigned ? [] : [invalidValue('missing signatures in root.json', path, 'no signatures')];
  } catch (error) {
    return [invalidValue('failed to unmarshal', path, messageOf(error))];
  }
}

function archiveFaults(mirrorFS: string, path: string): readonly FieldFault[] {
  const bytes = decodeBase64(mirrorFS);
  const isGzip = bytes?.[0] === 0x1f && bytes[1] === 0x8b;
  const why = bytes === undefined ? 'illegal base64 data' : 'gzip: invalid header';
  return isGzip ? [] : [archiveFault(`failed to uncompress: ${why}`, path)];
}

/** The fault of a TUF repository in the object that cannot be opened; `why` tells what failed. */
export function archiveFault(why: string, path = 'spec.repository.mirrorFS'): FieldFault {
  return invalidValue('failed to construct a TUF client', path, why);
}

function keysFaults(keys: SigstoreKeys, path: string): readonly FieldFault[] {
  const { certificateAuthorities, timestampAuthorities, tLogs, ctLogs } = keys;
  const isEmpty = certificateAuthorities.length === 0 && timestampAuthorities.length === 0;
  return [
    ...(isEmpty ? [missingOneOf(`${path}.certificateAuthorities`, `${path}.timestampAuthorities`)] : []),
    ...certificateAuthorities.flatMap((one, index) =>
      authorityFaults(one, `${path}.certificateAuthorities[${index}]`),
    ),
    ...timestampAuthorities.flatMap((one, index) => [
      ...authorityFaults(one, `${path}.timestampAuthorities[${index}]`),
      ...leafFaults(one, `${path}.timestampAuthorities[${index}].certChain`),
    ]),
    ...tLogs.flatMap((one, index) => logFaults(one, `${path}.tLogs[${index}]`)),
    ...ctLogs.flatMap((one, index) => logFaults(one, `${path}.ctLogs[${index}]`)),
  ];
}

function authorityFaults(
  { subject = {}, uri = '', certChain = '' }: Authority,
  path: string,
): readonly FieldFault[] {
  return [
    ...(['organization', 'commonName'] as const)
      .filter((field) => (subject[field] ?? '') === '')
      .map((field) => missingField(`${path}.subject.${field}`)),
    ...(uri === '' ? [missingField(`${path}.uri`)] : []),
    ...(certChain === '' ? [missingField(`${path}.certChain`)] : chainFaults(certChain, `${path}.certChain`)),
  ];
}

function chainFaults(certChain: string, path: string): readonly FieldFault[] {
  const what = 'error splitting the certificates';
  const certificates = listCertificates(certChain);
  if (certificates.length === 0) return [invalidValue(what, path, 'error during PEM decoding')];
  try {
    for (const bytes of certificates) new X509Certificate(bytes);
    return [];
  } catch (error) {
    return [invalidValue(what, path, messageOf(error))];
  }
}

function leafFaults({ certChain = '' }: Authority, path: string): readonly FieldFault[] {
  if (chainFaults(certChain, path).length > 0) return [];
  const leaves = listCertificates(certChain).filter((bytes) => !new X509Certificate(bytes).ca);
  const why = 'certificate chain must contain at most one TSA certificate';
  return leaves.length > 1 ? [invalidValue(why, path)] : [];
}

function logFaults(log: TransparencyLog, path: string): readonly FieldFault[] {
  const { publicKey = '' } = log;
  const pem = decodeBase64(publicKey)?.toString('latin1') ?? '';
  return [
    ...(['baseURL', 'hashAlgorithm', 'publicKey'] as const)
      .filter((field) => (log[field] ?? '') === '')
      .map((field) => missingField(`${path}.${field}`)),
    ...(publicKey === '' || parsePublicKey(pem) !== undefined
      ? []
      : [invalidValue('not a public key in PEM', `${path}.publicKey`)]),
  ];
}
