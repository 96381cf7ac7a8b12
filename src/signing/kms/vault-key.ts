import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { exchange, jsonOf, readPublicKey } from './kms-access.ts';
import type { KmsAccess, KmsProvider, KmsSigning } from './kms-access.ts';
import { kmsFault, kmsStatusFault } from './kms-fault.ts';

const reference = /^hashivault:\/\/(\w(?:[\w\-.]*\w)?)$/;
const vaultKey = z.object({ name: z.string().optional(), public_key: z.string().min(1) });
type VaultKey = z.infer<typeof vaultKey>;
const answer = z.object({
  data: z.object({ latest_version: z.int().positive(), keys: z.record(z.string(), vaultKey) }),
});
const signed = z.object({ data: z.object({ signature: z.string() }) });
/** What stands before the 32 bytes of an Ed25519 key in DER (RFC 8410). */
const ed25519Prefix = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * The latest version of a key of HashiCorp Vault's or OpenBao's transit engine. VAULT_ADDR, VAULT_TOKEN (else the file
 * `~/.vault-token`), VAULT_NAMESPACE and TRANSIT_SECRET_ENGINE_PATH are read as sigstore does. Throws ERR_KMS_*.
 */
export const findVaultKey: KmsProvider = async (uri, access) => {
  const [, name] = reference.exec(uri) ?? [];
  if (name === undefined) throw kmsFault('ERR_KMS_URI', uri, 'it is not in the format hashivault://<key>');
  const given = await exchange(
    { method: 'GET', url: addressOf(['keys', name], uri, access), headers: await headersOf(uri, access) },
    access,
  );
  if (given.status !== 200) throw kmsStatusFault(uri, given.status);
  const parsed = answer.safeParse(jsonOf(given, uri)).data?.data;
  const version = parsed?.latest_version;
  const key = parsed?.keys[String(version)];
  if (key === undefined || version === undefined) {
    throw kmsFault('ERR_KMS_KEY', uri, 'it is no key with a public half');
  }
  return {
    publicKey: publicKeyOf(key, uri),
    sign: (signing, via) => signWith({ uri, name, version }, signing, via),
  };
};

function publicKeyOf({ name, public_key: text }: VaultKey, uri: string): KeyObject {
  if (name !== 'ed25519') return readPublicKey(text, uri);
  const raw = Buffer.from(text, 'base64');
  return readPublicKey({ key: Buffer.concat([ed25519Prefix, raw]), format: 'der', type: 'spki' }, uri);
}

/** With the version whose public half was read, though the key may have been rotated since. */
async function signWith(
  { uri, name, version }: { readonly uri: string; readonly name: string; readonly version: number },
  { data, digest, kind }: KmsSigning,
  access: KmsAccess,
): Promise<Buffer> {
  const path = ['sign', name, ...(digest === undefined ? [] : [`sha2-${digest.hash.slice(3)}`])];
  const body = JSON.stringify({
    input: Buffer.from(digest?.bytes ?? data).toString('base64'),
    prehashed: digest !== undefined,
    key_version: version,
    marshaling_algorithm: 'asn1',
    ...(kind === 'rsa-pss' ? { signature_algorithm: 'pss', salt_length: 'hash' } : {}),
    ...(kind === 'rsa-pkcs1' ? { signature_algorithm: 'pkcs1v15' } : {}),
  });
  const headers = { ...(await headersOf(uri, access)), 'content-type': 'application/json' };
  const given = await exchange({ method: 'POST', url: addressOf(path, uri, access), headers, body }, access);
  if (given.status !== 200) throw kmsStatusFault(uri, given.status);
  const signature = signed.safeParse(jsonOf(given, uri)).data?.data.signature;
  // vault:v1:BASE64
  return Buffer.from(signature?.split(':').at(-1) ?? '', 'base64');
}

function addressOf(parts: readonly string[], uri: string, { environment }: KmsAccess): string {
  const { VAULT_ADDR: address = '', TRANSIT_SECRET_ENGINE_PATH: engine = '' } = environment;
  if (!/^https?:\/\//.test(address) || !URL.canParse(address)) {
    throw kmsFault('ERR_KMS_REFUSED', uri, 'VAULT_ADDR is not set to an http(s) address');
  }
  const mount = engine === '' ? ['transit'] : engine.split('/').filter((part) => part !== '');
  const path = [...mount, ...parts].map(encodeURIComponent).join('/');
  return new URL(`v1/${path}`, address.endsWith('/') ? address : `${address}/`).href;
}

async function headersOf(uri: string, access: KmsAccess): Promise<Record<string, string>> {
  const { VAULT_NAMESPACE: namespace = '' } = access.environment;
  const token = await tokenOf(uri, access);
  const headers = { 'x-vault-token': token, 'x-vault-request': 'true' };
  return namespace === '' ? headers : { ...headers, 'x-vault-namespace': namespace };
}

/** Read anew each time: an agent beside us may renew the file. */
async function tokenOf(uri: string, { environment, signal }: KmsAccess): Promise<string> {
  const { VAULT_TOKEN: token = '', HOME: home = '' } = environment;
  if (token !== '') return token;
  try {
    return (await readFile(join(home, '.vault-token'), { encoding: 'utf8', signal })).trim();
  } catch (cause) {
    signal.throwIfAborted();
    throw kmsFault('ERR_KMS_REFUSED', uri, 'there is neither VAULT_TOKEN nor ~/.vault-token', cause);
  }
}
