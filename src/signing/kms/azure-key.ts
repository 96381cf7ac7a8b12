import { AzureCliCredential, DefaultAzureCredential } from '@azure/identity';
import { KeyClient } from '@azure/keyvault-keys';
import type { JsonWebKey, KeyClientOptions } from '@azure/keyvault-keys';
import { exchange, readPublicKey } from './kms-access.ts';
import type { KmsAccess, KmsProvider } from './kms-access.ts';
import { kmsFault, kmsStatusFault } from './kms-fault.ts';

type HttpClient = NonNullable<KeyClientOptions['httpClient']>;

const reference = /^azurekms:\/\/([^/]+)\/([^/]+)(?:\/([a-z0-9]*))?$/;

/**
 * A key of Azure Key Vault or Managed HSM: the version that the address names, or the latest. Credentials: the Azure CLI's
 * with AZURE_AUTH_METHOD=cli, else those of the environment, workload identity, managed identity. Throws ERR_KMS_*.
 */
export const findAzureKey: KmsProvider = async (uri, access) => {
  const { vault, name, version } = parse(uri);
  const httpClient = clientOver(access);
  const options = { httpClient, retryOptions: { maxRetries: 1 } };
  const credential =
    access.environment['AZURE_AUTH_METHOD']?.toLowerCase() === 'cli'
      ? new AzureCliCredential()
      : new DefaultAzureCredential(options);
  const client = new KeyClient(`https://${vault}/`, credential, options);
  try {
    const { key } = await client.getKey(name, {
      ...(version === '' ? {} : { version }),
      abortSignal: access.signal,
    });
    return readPublicKey({ key: toJwk(key ?? {}, uri), format: 'jwk' }, uri);
  } catch (error) {
    const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
    throw typeof status === 'number' ? kmsStatusFault(uri, status, error) : error;
  }
};

function parse(uri: string): { readonly vault: string; readonly name: string; readonly version: string } {
  const [, vault, name, version = ''] = reference.exec(uri) ?? [];
  if (vault !== undefined && name !== undefined && URL.canParse(`https://${vault}/`)) {
    return { vault, name, version };
  }
  const format = 'azurekms://[VAULT_URL]/[KEY_NAME]/[VERSION (optional)]';
  throw kmsFault('ERR_KMS_URI', uri, `it is not in the format ${format}`);
}

/** Keys in an HSM have a type of their own, which no other reader of JWKs knows. */
function toJwk({ kty = '', crv = '', x, y, n, e }: JsonWebKey, uri: string): Record<string, string> {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
  if (/^EC(?:-HSM)?$/.test(kty) && x !== undefined && y !== undefined) {
    return { kty: 'EC', crv, x: text(x), y: text(y) };
  }
  if (/^RSA(?:-HSM)?$/.test(kty) && n !== undefined && e !== undefined) {
    return { kty: 'RSA', n: text(n), e: text(e) };
  }
  throw kmsFault('ERR_KMS_KEY', uri, 'it is no RSA key and none on an elliptic curve');
}

/** The SDK's own HTTP would read bodies of any size and know no private certificate authority. */
function clientOver({ dispatcher, signal }: KmsAccess): HttpClient {
  return {
    sendRequest: async (request) => {
      const { method, url, body } = request;
      const headers = request.headers.toJSON();
      const text = typeof body === 'string' ? body : undefined;
      const answer = await exchange({ method, url, headers, body: text }, { dispatcher, signal });
      const { status } = answer;
      return {
        request,
        status,
        headers: new AnswerHeaders(Object.entries(answer.headers)),
        bodyAsText: answer.body.toString('utf8'),
      };
    },
  };
}

/** Headers as the SDK wants them: names in any case. */
class AnswerHeaders extends Map<string, string> {
  override get(name: string): string | undefined {
    return super.get(name.toLowerCase());
  }

  override has(name: string): boolean {
    return super.has(name.toLowerCase());
  }

  toJSON(): Record<string, string> {
    return Object.fromEntries(this);
  }
}
