import { X509Certificate } from 'node:crypto';
import { AppError } from '../../model/errors.ts';
import { fingerprintOf } from '../../model/signature.ts';
import type { SigningKey } from '../../model/signature.ts';
import { readInput } from './input-file.ts';

/** cosign's flags for a certificate of one's own key. */
export interface CertificateFlags {
  readonly certificate?: string;
  readonly certificateChain?: string;
}

const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const maxCertificates = 16;

/**
 * The key with the certificate that stands for it in evidence, and the authorities above. Throws ERR_USAGE_FILE,
 * ERR_USAGE_CERTIFICATE for one that is none, or is of another key.
 */
export async function withCertificate(
  key: SigningKey,
  { certificate, certificateChain }: CertificateFlags,
  options: { readonly signal: AbortSignal },
): Promise<SigningKey> {
  if (certificate === undefined) {
    if (certificateChain === undefined) return key;
    throw certificateFault('--certificate-chain belongs to --certificate', 'Give both.');
  }
  const [leaf, ...more] = await readCertificates(certificate, options);
  if (leaf === undefined || more.length > 0) {
    throw certificateFault(
      `${certificate} holds not one certificate`,
      'Give the certificate of the key alone.',
    );
  }
  const spkiDer = leaf.publicKey.export({ format: 'der', type: 'spki' });
  if (fingerprintOf(spkiDer) !== key.fingerprint) {
    throw certificateFault(
      `${certificate} is of another key`,
      'Give the certificate that was issued for --key.',
    );
  }
  const chain = certificateChain === undefined ? [] : await readCertificates(certificateChain, options);
  return {
    ...key,
    material: { kind: 'certificate', chainDer: [leaf.raw, ...chain.map(({ raw }) => raw)] },
  };
}

async function readCertificates(
  file: string,
  options: { readonly signal: AbortSignal },
): Promise<readonly X509Certificate[]> {
  const pem = await readInput(file, options);
  const blocks = pem.match(block) ?? [];
  try {
    if (blocks.length > 0 && blocks.length <= maxCertificates)
      return blocks.map((one) => new X509Certificate(one));
  } catch {
    // OpenSSL's message helps nobody.
  }
  throw certificateFault(`${file} holds no certificates, or too many`, 'Give PEM blocks of certificates.');
}

function certificateFault(message: string, remedy: string): AppError {
  return new AppError('ERR_USAGE_CERTIFICATE', message, { kind: 'permanent', remedy });
}
