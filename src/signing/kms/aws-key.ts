import { Readable } from 'node:stream';
import { GetPublicKeyCommand, KMSClient, KMSServiceException } from '@aws-sdk/client-kms';
import type { KMSClientConfig } from '@aws-sdk/client-kms';
import { exchange, readPublicKey } from './kms-access.ts';
import type { KmsAccess, KmsProvider } from './kms-access.ts';
import { kmsFault, kmsStatusFault } from './kms-fault.ts';

const uuid = 'm?r?k?-?[A-Fa-f0-9]{8}-?[A-Fa-f0-9]{4}-?[A-Fa-f0-9]{4}-?[A-Fa-f0-9]{4}-?[A-Fa-f0-9]{12}';
const arn = String.raw`arn:(?:aws|aws-us-gov|aws-cn):kms:([a-z0-9-]+):\d{12}:`;
const reference = new RegExp(`^awskms://([^/]*)/(?:(${uuid}|alias/.+)|(${arn}(?:key/${uuid}|alias/.+)))$`);
const attempts = 2;

/**
 * A key of AWS KMS, at the region's endpoint or at the one that the address names (`https://` is put before it). The region
 * is that of the ARN, else of the environment; credentials are found as every AWS program finds them. Throws ERR_KMS_*.
 */
export const findAwsKey: KmsProvider = async (uri, access) => {
  const [, endpoint = '', bareId, keyArn, region] = reference.exec(uri) ?? [];
  const KeyId = bareId ?? keyArn;
  if (KeyId === undefined || (endpoint !== '' && !URL.canParse(`https://${endpoint}`))) {
    throw kmsFault('ERR_KMS_URI', uri, 'it is not in the format awskms://[ENDPOINT]/[ID/ALIAS/ARN]');
  }
  const client = new KMSClient({
    maxAttempts: attempts,
    requestHandler: handlerOver(access),
    ...(endpoint === '' ? {} : { endpoint: `https://${endpoint}` }),
    ...(region === undefined ? {} : { region }),
  });
  try {
    const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId }), {
      abortSignal: access.signal,
    });
    const key = Buffer.from(PublicKey ?? []);
    return readPublicKey({ key, format: 'der', type: 'spki' }, uri);
  } catch (error) {
    throw error instanceof KMSServiceException ? faultOf(error, uri) : error;
  } finally {
    client.destroy();
  }
};

/** AWS tells by names what others tell by the status: 400 is also what a missing right gives. */
function faultOf(error: KMSServiceException, uri: string): Error {
  const why = `the service answered ${error.name}`;
  if (
    /^(?:NotFound|Disabled|InvalidKeyUsage|InvalidArn|UnsupportedOperation|KMSInvalidState)/.test(error.name)
  ) {
    return kmsFault('ERR_KMS_KEY', uri, why, error);
  }
  const status = error.$metadata.httpStatusCode ?? 500;
  return status < 500 && error.$fault === 'client'
    ? kmsFault('ERR_KMS_REFUSED', uri, why, error)
    : kmsStatusFault(uri, status, error);
}

/** The SDK's own HTTP would read bodies of any size and know no private certificate authority. */
function handlerOver({ dispatcher, signal }: KmsAccess): NonNullable<KMSClientConfig['requestHandler']> {
  return {
    handle: async (request: SdkRequest) => {
      const { method, protocol, hostname, port, path, headers, body } = request;
      const url = `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`;
      // The protocol's requests are JSON; the SDK gives them as bytes of a kind of its own.
      const text = typeof body === 'string' ? body : new TextDecoder().decode(body);
      const answer = await exchange({ method, url, headers, body: text }, { dispatcher, signal });
      const response = {
        statusCode: answer.status,
        headers: { ...answer.headers },
        body: Readable.from([answer.body]),
      };
      return { response };
    },
    updateHttpClientConfig: () => undefined,
    httpHandlerConfigs: () => ({}),
  };
}

interface SdkRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}
