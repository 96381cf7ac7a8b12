import { webcrypto } from 'node:crypto';
// @peculiar/x509 does not load without it.
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

/** Certificates in PEM: a root, an intermediate that it signed, and a leaf of that one. */
export interface AuthorityChain {
  readonly root: string;
  readonly intermediate: string;
  readonly leaf: string;
  /** The leaf's private key, PKCS #8. */
  readonly leafKey: string;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** Makes a chain of its own, for authorities whose servers nobody asks. */
export async function newAuthorityChain(): Promise<AuthorityChain> {
  const root = await newCertificate('CN=root', true);
  const intermediate = await newCertificate('CN=intermediate', true, root);
  const leaf = await newCertificate('CN=leaf', false, intermediate);
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', leaf.keys.privateKey);
  const leafKey = x509.PemConverter.encode(pkcs8, 'PRIVATE KEY');
  return { root: root.pem, intermediate: intermediate.pem, leaf: leaf.pem, leafKey };
}

/** Makes the chain of a timestamp authority: a leaf for timestamps (RFC 3161 section 2.3) under a root of its own. */
export async function newTimestampChain(critical = true): Promise<readonly [leaf: string, root: string]> {
  const root = await newCertificate('CN=time root', true);
  const usage = new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.timeStamping], critical);
  const leaf = await newCertificate('CN=time', false, root, [usage]);
  return [leaf.pem, root.pem];
}

interface Issued {
  readonly pem: string;
  readonly name: string;
  readonly keys: webcrypto.CryptoKeyPair;
}

async function newCertificate(
  name: string,
  isAuthority: boolean,
  issuer?: Issued,
  more: readonly x509.Extension[] = [],
): Promise<Issued> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: name,
    issuer: issuer?.name ?? name,
    publicKey: keys.publicKey,
    signingKey: issuer?.keys.privateKey ?? keys.privateKey,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    extensions: [new x509.BasicConstraintsExtension(isAuthority, undefined, true), ...more],
  });
  return { pem: certificate.toString('pem'), name, keys };
}
