import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import type { KeyObject, KeyPairKeyObjectResult } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { hosts } from './addresses.ts';
import { inState } from './paths.ts';
import { run } from './process/run.ts';

/** Not a secret: Fulcio's file CA wants its key encrypted, and only this stack ever holds it. */
export const fulcioKeyPassword = 'fulcio';

/** Path of a certificate, key or other secret of the stack. */
export function credential(name: string): string {
  return inState('certs', name);
}

interface CertificateRequest {
  readonly name: string;
  readonly subject: string;
  readonly extensions: readonly string[];
  /** The certificate and key that sign; itself if absent. */
  readonly signer?: string;
  readonly curve?: 'P-256' | 'P-384';
  readonly password?: string;
}

const authority = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'];
const leaf = ['basicConstraints=critical,CA:FALSE', 'keyUsage=critical,digitalSignature'];

function serverExtensions(...names: string[]): string[] {
  return [...leaf, 'extendedKeyUsage=serverAuth', `subjectAltName=${names.join(',')}`];
}

function hostCertificate(name: string, host: { name: string; ip: string }): CertificateRequest {
  const extensions = serverExtensions(`DNS:${host.name}`, `IP:${host.ip}`);
  return { name, subject: `/CN=${host.name}`, signer: 'ca', extensions };
}

const certificates: readonly CertificateRequest[] = [
  { name: 'ca', subject: '/O=Golem Trust/CN=Chainwright stack', extensions: authority },
  {
    name: 'kubernetes',
    subject: '/CN=kube-apiserver',
    signer: 'ca',
    extensions: serverExtensions(
      `DNS:${hosts.kubernetes.name}`,
      'DNS:kubernetes.default.svc',
      'DNS:localhost',
      `IP:${hosts.kubernetes.ip}`,
      'IP:10.0.0.1',
    ),
  },
  {
    name: 'admin',
    subject: '/O=system:masters/CN=stack-admin',
    signer: 'ca',
    extensions: [...leaf, 'extendedKeyUsage=clientAuth'],
  },
  hostCertificate('harbor', hosts.harbor),
  hostCertificate('oci', hosts.oci),
  { name: 'harbor-token', subject: '/CN=harbor-token-issuer', extensions: authority },
  {
    name: 'fulcio',
    subject: '/O=Golem Trust/CN=Fulcio',
    curve: 'P-384',
    password: fulcioKeyPassword,
    extensions: ['basicConstraints=critical,CA:TRUE,pathlen:1', 'keyUsage=critical,keyCertSign,cRLSign'],
  },
  { name: 'tsa-root', subject: '/O=Golem Trust/CN=Timestamp root', extensions: authority },
  {
    name: 'tsa',
    subject: '/O=Golem Trust/CN=Timestamp authority',
    signer: 'tsa-root',
    extensions: [...leaf, 'extendedKeyUsage=critical,timeStamping'],
  },
];

/** Keys of the logs, which have no certificate. */
const logKeys = ['ctlog', 'rekor', 'rekor2'] as const;

function privatePem(key: KeyObject, password?: string): string {
  const encryption = password === undefined ? {} : { cipher: 'aes-256-cbc', passphrase: password };
  return key.export({ type: 'pkcs8', format: 'pem', ...encryption }).toString();
}

async function writeKeys(
  folder: string,
  name: string,
  pair: KeyPairKeyObjectResult,
  password?: string,
): Promise<void> {
  const { privateKey, publicKey } = pair;
  await writeFile(join(folder, `${name}.key`), privatePem(privateKey, password), { mode: 0o600 });
  await writeFile(join(folder, `${name}.pub`), publicKey.export({ type: 'spki', format: 'pem' }));
}

async function makeKey(folder: string, name: string, curve: string, password?: string): Promise<void> {
  await writeKeys(folder, name, generateKeyPairSync('ec', { namedCurve: curve }), password);
}

async function makeCertificate(folder: string, request: CertificateRequest): Promise<void> {
  const { name, signer, password } = request;
  await makeKey(folder, name, request.curve ?? 'P-256', password);
  const file = (entry: string): string => join(folder, entry);
  const signed = signer === undefined ? [] : ['-CA', file(`${signer}.crt`), '-CAkey', file(`${signer}.key`)];
  const identifiers = [
    'subjectKeyIdentifier=hash',
    ...(signer === undefined ? [] : ['authorityKeyIdentifier=keyid']),
  ];
  await run('openssl', [
    'req',
    '-x509',
    '-new',
    '-sha256',
    '-days',
    '825',
    '-config',
    file('openssl.cnf'),
    '-key',
    file(`${name}.key`),
    '-passin',
    `pass:${password ?? ''}`,
    '-subj',
    request.subject,
    ...signed,
    ...[...request.extensions, ...identifiers].flatMap((extension) => ['-addext', extension]),
    '-out',
    file(`${name}.crt`),
  ]);
}

/** The usual places of a Linux machine's own certificate authorities. */
const systemBundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/cert.pem',
];

async function makeBundles(folder: string): Promise<void> {
  const own = await readFile(join(folder, 'ca.crt'), 'utf8');
  const system = systemBundles.find((file) => existsSync(file));
  // Whoever sources the stack's environment must still reach the rest of the world.
  await writeFile(
    join(folder, 'bundle.crt'),
    `${system === undefined ? '' : await readFile(system, 'utf8')}\n${own}`,
  );
  const chain = await Promise.all(
    ['tsa', 'tsa-root'].map((name) => readFile(join(folder, `${name}.crt`), 'utf8')),
  );
  await writeFile(join(folder, 'tsa-chain.crt'), chain.join(''));
}

/** Names of the two robot accounts; their passwords are made with the certificates. */
export const robots = { writer: 'robot$golem-trust', reader: 'robot$golem-trust-reader' } as const;

/** The password of each robot account, by its name. */
export type RobotPasswords = Readonly<Record<(typeof robots)[keyof typeof robots], string>>;

/** Makes every key and certificate of the stack, all or nothing; does nothing if they are there. */
export async function ensureCertificates(): Promise<void> {
  const target = inState('certs');
  if (existsSync(target)) return;
  const folder = inState('certs.new');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o755 });
  await writeFile(join(folder, 'openssl.cnf'), '[req]\ndistinguished_name=name\n[name]\n');
  for (const name of logKeys) await makeKey(folder, name, 'P-256');
  // The API server signs ServiceAccount tokens with RSA nearly everywhere.
  await writeKeys(folder, 'sa', generateKeyPairSync('rsa', { modulusLength: 2048 }));
  for (const request of certificates) await makeCertificate(folder, request);
  await makeBundles(folder);
  const password = (): string => randomBytes(18).toString('base64url');
  const passwords: RobotPasswords = { [robots.writer]: password(), [robots.reader]: password() };
  await writeFile(join(folder, 'robots.json'), JSON.stringify(passwords), { mode: 0o600 });
  await rename(folder, target);
}

/** The robots' passwords. */
export async function robotPasswords(): Promise<RobotPasswords> {
  // Written by ensureCertificates, and by nobody else.
  return JSON.parse(await readFile(credential('robots.json'), 'utf8')) as RobotPasswords;
}

/** A private key of the stack. */
export async function privateKey(name: string): Promise<KeyObject> {
  return createPrivateKey(await readFile(credential(`${name}.key`)));
}

/** The public half of a private key, as DER. */
export function publicDer(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: 'spki', format: 'der' });
}
