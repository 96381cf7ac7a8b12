import { AppError } from '../model/errors.ts';
import type { SignatureHash } from '../signing/signature-algorithm.ts';
import type { PolicyReferences } from './policy-references.ts';
import type { KeyRef } from './policy-schema.ts';

const hashes: readonly SignatureHash[] = ['sha224', 'sha256', 'sha384', 'sha512'];

/**
 * What a key reference leads to, read by `parse`: the PEM text in it, the one entry of a Secret, or a KMS's public key.
 * Throws ERR_POLICY_REFERENCE for what `parse` cannot read, and what the references throw.
 */
export async function resolveKeyRef<Key>(
  { data = '', secretRef, kms = '' }: KeyRef,
  references: PolicyReferences,
  parse: (pem: string) => Key | undefined,
): Promise<Key> {
  const secret = secretRef?.name ?? '';
  const [where, pem] =
    data !== ''
      ? ['data', data]
      : kms !== ''
        ? [kms, await references.findKmsKey(kms)]
        : [`secret "${secret}"`, await references.findSecret(secret)];
  const key = parse(pem);
  if (key !== undefined) return key;
  throw new AppError('ERR_POLICY_REFERENCE', `${where} contains an invalid public key`, {
    kind: 'permanent',
    object: where,
    remedy: 'Put one public key in PEM there; for ca-cert the certificates of authorities.',
  });
}

/** The hash that a key reference names; undefined if it names none. */
export function hashOf({ hashAlgorithm = '' }: KeyRef): SignatureHash | undefined {
  const name = hashAlgorithm.trim().toLowerCase();
  return hashes.find((one) => one === name);
}
