import { X509Certificate, randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';

/** A certificate and its private key (PKCS#8), PEM. */
export interface IssuedCertificate {
  readonly certificatePem: string;
  readonly keyPem: string;
}

/** How long what is issued here lives, in milliseconds. */
export const lifetimes = {
  /** Short, since a leaf cannot be revoked; renewing costs nothing. */
  leafMs: 7 * 86_400_000,
  authorityMs: 365 * 86_400_000,
  /** Clocks of the API server and of our node may differ so far. */
  skewMs: 3_600_000,
} as const;

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** Loaded only by the replica that issues: the others spare its memory. */
async function loadX509(): Promise<typeof import('@peculiar/x509')> {
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

/** Makes a certificate authority of its own: ECDSA P-256, a year from `now`, good for server certificates alone. */
export async function issueAuthority(name: string, now: Date): Promise<IssuedCertificate> {
  const x509 = await loadX509();
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    // Authorities that take over from one another must not share a name, or verifiers mix up their keys.
    name: `CN=${name} ${randomBytes(4).toString('hex')}`,
    serialNumber: newSerial(),
    ...validity(now, lifetimes.authorityMs),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificatePem: pemOf(certificate.rawData), keyPem: await exportKey(keys.privateKey) };
}

/** Makes a server certificate for DNS names and addresses, of a week from `now` or less if the authority ends before. */
export async function issueLeaf(
  authority: IssuedCertificate,
  names: readonly string[],
  now: Date,
): Promise<IssuedCertificate> {
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(authority.certificatePem);
  const keys = await generateKeys();
  const { notBefore, notAfter } = validity(now, lifetimes.leafMs);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${(names[0] ?? '').slice(0, 64)}`,
    issuer: issuer.subjectName,
    serialNumber: newSerial(),
    notBefore: new Date(Math.max(notBefore.getTime(), issuer.notBefore.getTime())),
    notAfter: new Date(Math.min(notAfter.getTime(), issuer.notAfter.getTime())),
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.keyPem),
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
      ),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificatePem: pemOf(certificate.rawData), keyPem: await exportKey(keys.privateKey) };
}

function validity(now: Date, lifetimeMs: number): { readonly notBefore: Date; readonly notAfter: Date } {
  return {
    notBefore: new Date(now.getTime() - lifetimes.skewMs),
    notAfter: new Date(now.getTime() + lifetimeMs),
  };
}

/** Positive, as RFC 5280 section 4.1.2.2 asks. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return bytes.toString('hex');
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
  return webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}

function pemOf(der: ArrayBuffer): string {
  return new X509Certificate(Buffer.from(der)).toString();
}
