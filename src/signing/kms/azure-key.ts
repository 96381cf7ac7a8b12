import { AzureCliCredential, DefaultAzureCredential } from '@azure/identity';
import type { TokenCredential } from '@azure/identity';
import { CryptographyClient, KeyClient } from '@azure/keyvault-keys';
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
  const { key, id } = await call(uri, access, ({ credential, options }) =>
    new KeyClient(`https://${vault}/`, credential, options).getKey(name, {
      ...(version === '' ? {} : { version }),
      abortSignal: access.signal,
    }),
  );
  return {
    publicKey: readPublicKey({ key: toJwk(key ?? {}, uri), format: 'jwk' }, uri),
    sign: async ({ digest, kind }, via) => {
      // The id names the version whose public half was read.
      if (digest === undefined || kind === 'ed25519' || id === undefined) {
        throw kmsFault('ERR_KMS_KEY', uri, 'it signs no Ed25519');
      }
      const algorithm = `${prefixes[kind]}${digest.hash.slice(3)}`;
      const { result } = await call(uri, via, ({ credential, options }) =>
        new CryptographyClient(id, credential, options).sign(algorithm, digest.bytes, {
          abortSignal: via.signal,
        }),
      );
      return kind === 'ecdsa' ? toDer(result) : result;
    },
  };
};

const prefixes = { ecdsa: 'ES', 'rsa-pkcs1': 'RS', 'rsa-pss': 'PS' } as const;

interface Client {
  readonly credential: TokenCredential;
  readonly options: KeyClientOptions;
}

async function call<Answer>(
  uri: string,
  access: KmsAccess,
  send: (client: Client) => Promise<Answer>,
): Promise<Answer> {
  const options = { httpClient: clientOver(access), retryOptions: { maxRetries: 1 } };
  const credential =
    access.environment['AZURE_AUTH_METHOD']?.toLowerCase() === 'cli'
      ? new AzureCliCredential()
      : new DefaultAzureCredential(options);
  try {
    return await send({ credential, options });
  } catch (error) {
    const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
    throw typeof status === 'number' ? kmsStatusFault(uri, status, error) : error;
  }
}

/** The two numbers side by side (RFC 7518, section 3.4) as everybody else has them: a DER sequence. */
function toDer(signature: Uint8Array): Buffer {
  const half = signature.length / 2;
  const numbers = [signature.subarray(0, half), signature.subarray(half)].map((bytes) => {
    const first = bytes.findIndex((byte) => byte !== 0);
    const short = first === -1 ? Buffer.of(0) : Buffer.from(bytes.subarray(first));
    const value = (short[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), short]) : short;
    return Buffer.concat([Buffer.of(0x02, value.length), value]);
  });
  const body = Buffer.concat(numbers);
  const length = body.length < 0x80 ? Buffer.of(body.length) : Buffer.of(0x81, body.length);
  return Buffer.concat([Buffer.of(0x30), length, body]);
}

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
