import { GoogleAuth } from 'google-auth-library';
import { z } from 'zod';
import { exchange, jsonOf, readPublicKey } from './kms-access.ts';
import type { KmsAccess, KmsProvider } from './kms-access.ts';
import { kmsFault, kmsStatusFault } from './kms-fault.ts';

const segment = '[^/]+';
const reference = new RegExp(
  `^gcpkms://(projects/${segment}/locations/${segment}/keyRings/${segment}/cryptoKeys/${segment})(?:/(?:cryptoKeyVersions|versions)/(${segment}))?$`,
);
const api = 'https://cloudkms.googleapis.com/v1/';
const scope = 'https://www.googleapis.com/auth/cloudkms';
const versions = z.object({ cryptoKeyVersions: z.array(z.object({ name: z.string() })).default([]) });

/**
 * A key of Google Cloud KMS: the version that the address names, or the newest one that is enabled. Credentials are the
 * application default ones (GOOGLE_APPLICATION_CREDENTIALS, workload identity, the metadata server). Throws ERR_KMS_*.
 */
export const findGoogleKey: KmsProvider = async (uri, access) => {
  const [, key, version] = reference.exec(uri) ?? [];
  if (key === undefined) {
    const format =
      'gcpkms://projects/[PROJECT_ID]/locations/[LOCATION]/keyRings/[KEY_RING]/cryptoKeys/[KEY]/cryptoKeyVersions/[VERSION]';
    throw kmsFault('ERR_KMS_URI', uri, `it is not in the format ${format}`);
  }
  const authorization = `Bearer ${await accessToken(key, uri)}`;
  const ask: Asking = async (path, { body, via = access } = {}) => {
    const url = new URL(path, api).href;
    const method = body === undefined ? 'GET' : 'POST';
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = { authorization, ...(text === undefined ? {} : { 'content-type': 'application/json' }) };
    const given = await exchange({ method, url, headers, body: text }, via);
    if (given.status !== 200) throw kmsStatusFault(uri, given.status);
    return jsonOf(given, uri);
  };
  const parent = key.split('/').map(encodeURIComponent).join('/');
  const number = version ?? (await newestVersion(parent, uri, ask));
  const place = `${parent}/cryptoKeyVersions/${encodeURIComponent(number)}`;
  const { pem } = await ask(`${place}/publicKey`);
  return {
    publicKey: readPublicKey(typeof pem === 'string' ? pem : '', uri),
    // Padding and hash are those of the key's version; what it does not sign it refuses.
    sign: async ({ data, digest }, via) => {
      const body =
        digest === undefined
          ? { data: Buffer.from(data).toString('base64') }
          : { digest: { [digest.hash]: digest.bytes.toString('base64') } };
      const { signature } = await ask(`${place}:asymmetricSign`, { body, via });
      return Buffer.from(typeof signature === 'string' ? signature : '', 'base64');
    },
  };
};

type Asking = (
  path: string,
  how?: { readonly body?: object; readonly via?: KmsAccess },
) => Promise<Readonly<Record<string, unknown>>>;

async function newestVersion(
  parent: string,
  uri: string,
  get: (path: string) => Promise<unknown>,
): Promise<string> {
  const query = new URLSearchParams({ filter: 'state=ENABLED', orderBy: 'name desc', pageSize: '1' });
  const listed = versions.safeParse(await get(`${parent}/cryptoKeyVersions?${query.toString()}`)).data;
  const [newest] = listed?.cryptoKeyVersions ?? [];
  if (newest === undefined) throw kmsFault('ERR_KMS_KEY', uri, 'no version of it is enabled');
  return newest.name.slice(newest.name.lastIndexOf('/') + 1);
}

async function accessToken(key: string, uri: string): Promise<string> {
  // Without it the library asks yet another server for the project.
  const [, projectId = ''] = key.split('/');
  const token = await new GoogleAuth({ scopes: [scope], projectId }).getAccessToken();
  if (typeof token === 'string' && token !== '') return token;
  throw kmsFault('ERR_KMS_REFUSED', uri, 'there are no credentials for Google Cloud');
}
