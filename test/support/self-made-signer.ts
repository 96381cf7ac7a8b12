import { KeyObject, webcrypto } from 'node:crypto';
// @peculiar/x509 does not load without it.
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import type { RawSigner } from './own-rekor.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A certificate like Fulcio's for that subject (a URI) and issuer, signed by its own key: anybody can make one. */
export async function selfMadeSigner(subject: string, issuer: string): Promise<RawSigner> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const issuerText = Buffer.concat([Buffer.of(0x0c, issuer.length), Buffer.from(issuer)]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 540_000),
    extensions: [
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: subject }], true),
      new x509.Extension('1.3.6.1.4.1.57264.1.8', false, issuerText),
    ],
  });
  return { pem: certificate.toString('pem'), privateKey: KeyObject.from(keys.privateKey) };
}
