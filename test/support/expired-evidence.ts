import { createPrivateKey, sign, webcrypto } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
// @peculiar/x509 does not load without it.
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { credential, fulcioKeyPassword } from '../../hack/stack/certificates.ts';
import { evidenceTag } from './attached-evidence.ts';
import type { PushedImage } from './images.ts';
import { sha256 } from './images.ts';
import { pipelineIdentity } from './judges.ts';
import type { RegistrySession } from './registry-session.ts';

const issuer = 'https://kubernetes.golems.internal';
const leafAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const authorityAlgorithm = { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };
const signedMs = 86_400_000;
const lifetimeMs = 600_000;

/**
 * Hangs an image signature beside an image whose certificate is right but for its time: of the stack's Fulcio and of the
 * pipeline's identity, valid for ten minutes a day ago. No log saw it. Somebody who stole an old key makes such ones.
 */
export async function hangExpiredSignature(session: RegistrySession, image: PushedImage): Promise<void> {
  const { certificate, key } = await issueExpired();
  const payload = Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': image.repository },
        image: { 'docker-manifest-digest': image.digest },
        type: 'cosign container image signature',
      },
      optional: null,
    }),
  );
  const config = Buffer.from('{}');
  await session.putBlob(image.repository, payload);
  await session.putBlob(image.repository, config);
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: sha256(config),
      size: config.length,
    },
    layers: [
      {
        mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
        digest: sha256(payload),
        size: payload.length,
        annotations: {
          'dev.cosignproject.cosign/signature': sign('sha256', payload, key).toString('base64'),
          'dev.sigstore.cosign/certificate': certificate,
          'dev.sigstore.cosign/chain': await readFile(credential('fulcio.crt'), 'utf8'),
        },
      },
    ],
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  await session.putManifest(image.repository, bytes, manifest.mediaType, evidenceTag(image.digest, 'sig'));
}

async function issueExpired(): Promise<{ readonly certificate: string; readonly key: KeyObject }> {
  const keys = await webcrypto.subtle.generateKey(leafAlgorithm, true, ['sign', 'verify']);
  const authority = new x509.X509Certificate(await readFile(credential('fulcio.crt'), 'utf8'));
  const certificate = await x509.X509CertificateGenerator.create({
    subject: '',
    issuer: authority.subjectName,
    publicKey: keys.publicKey,
    signingKey: await authorityKey(),
    signingAlgorithm: authorityAlgorithm,
    notBefore: new Date(Date.now() - signedMs),
    notAfter: new Date(Date.now() - signedMs + lifetimeMs),
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.3']),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: pipelineIdentity }], true),
      await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
      new x509.Extension('1.3.6.1.4.1.57264.1.8', false, utf8String(issuer)),
    ],
  });
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
  return { certificate: certificate.toString('pem'), key };
}

async function authorityKey(): Promise<webcrypto.CryptoKey> {
  const key = createPrivateKey({
    key: await readFile(credential('fulcio.key')),
    passphrase: fulcioKeyPassword,
  });
  const pkcs8 = key.export({ format: 'der', type: 'pkcs8' });
  return webcrypto.subtle.importKey('pkcs8', pkcs8, authorityAlgorithm, false, ['sign']);
}

/** DER of a UTF8String shorter than 128 bytes. */
function utf8String(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x0c, text.length]), Buffer.from(text)]);
}
