import type { SigningKey } from '../../model/signature.ts';
import { createKeySigner } from '../../signing/key-signer.ts';
import { isKmsAddress } from '../../signing/kms/kms-keys.ts';
import { openKms, readPrivateKey } from './key-reference.ts';
import type { KeyReading } from './key-reference.ts';
import { withCertificate } from './signing-certificate.ts';
import type { CertificateFlags } from './signing-certificate.ts';

/**
 * The key that cosign's `--key` names when it signs: a file, a Secret or a key in a KMS, with the certificate that stands for it
 * if there is one. Throws as `readPrivateKey` and `withCertificate`, ERR_KEY_*, ERR_KMS_*.
 */
export async function openSigningKey(
  reference: string,
  certificate: CertificateFlags,
  options: KeyReading & { readonly closing: AsyncDisposableStack },
): Promise<SigningKey> {
  return withCertificate(await openKey(reference, options), certificate, options);
}

async function openKey(
  reference: string,
  options: KeyReading & { readonly closing: AsyncDisposableStack },
): Promise<SigningKey> {
  if (isKmsAddress(reference)) return (await openKms(options)).openSigningKey(reference, options);
  const signer = await createKeySigner(await readPrivateKey(reference, options));
  return signer.acquire(options);
}
