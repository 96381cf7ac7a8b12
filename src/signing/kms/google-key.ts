import { GoogleAuth } from 'google-auth-library';
import { z } from 'zod';
import { exchange, jsonOf, readPublicKey } from './kms-access.ts';
import type { KmsProvider } from './kms-access.ts';
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
  const get = async (path: string): Promise<Readonly<Record<string, unknown>>> => {
    const url = new URL(path, api).href;
    const given = await exchange({ method: 'GET', url, headers: { authorization } }, access);
    if (given.status !== 200) throw kmsStatusFault(uri, given.status);
    return jsonOf(given, uri);
  };
  const parent = key.split('/').map(encodeURIComponent).join('/');
  const number = version ?? (await newestVersion(parent, uri, get));
  const { pem } = await get(`${parent}/cryptoKeyVersions/${encodeURIComponent(number)}/publicKey`);
  return readPublicKey(typeof pem === 'string' ? pem : '', uri);
};

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
