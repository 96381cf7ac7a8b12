import { Readable } from 'node:stream';
import { GetPublicKeyCommand, KMSClient, KMSServiceException, SignCommand } from '@aws-sdk/client-kms';
import type { KMSClientConfig, SigningAlgorithmSpec } from '@aws-sdk/client-kms';
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
  const place = parse(uri);
  const { PublicKey } = await call(place, access, (client, options) =>
    client.send(new GetPublicKeyCommand({ KeyId: place.keyId }), options),
  );
  const publicKey = readPublicKey({ key: Buffer.from(PublicKey ?? []), format: 'der', type: 'spki' }, uri);
  return {
    publicKey,
    sign: async ({ data, digest, kind }, signing) => {
      const algorithm = algorithms[kind];
      const SigningAlgorithm = digest === undefined ? algorithm : `${algorithm}_${digest.hash.slice(3)}`;
      const { Signature } = await call(place, signing, (client, options) => {
        const command = new SignCommand({
          KeyId: place.keyId,
          Message: digest?.bytes ?? data,
          MessageType: digest === undefined ? 'RAW' : 'DIGEST',
          SigningAlgorithm: SigningAlgorithm as SigningAlgorithmSpec,
        });
        return client.send(command, options);
      });
      return Buffer.from(Signature ?? []);
    },
  };
};

const algorithms = {
  ecdsa: 'ECDSA_SHA',
  'rsa-pkcs1': 'RSASSA_PKCS1_V1_5_SHA',
  'rsa-pss': 'RSASSA_PSS_SHA',
  ed25519: 'ED25519_SHA_512',
} as const;

interface Place {
  readonly uri: string;
  readonly keyId: string;
  readonly endpoint: string;
  readonly region: string | undefined;
}

function parse(uri: string): Place {
  const [, endpoint = '', bareId, keyArn, region] = reference.exec(uri) ?? [];
  const keyId = bareId ?? keyArn;
  if (keyId === undefined || (endpoint !== '' && !URL.canParse(`https://${endpoint}`))) {
    throw kmsFault('ERR_KMS_URI', uri, 'it is not in the format awskms://[ENDPOINT]/[ID/ALIAS/ARN]');
  }
  return { uri, keyId, endpoint, region };
}

async function call<Answer>(
  { uri, endpoint, region }: Place,
  access: KmsAccess,
  send: (client: KMSClient, options: { readonly abortSignal: AbortSignal }) => Promise<Answer>,
): Promise<Answer> {
  const client = new KMSClient({
    maxAttempts: attempts,
    requestHandler: handlerOver(access),
    ...(endpoint === '' ? {} : { endpoint: `https://${endpoint}` }),
    ...(region === undefined ? {} : { region }),
  });
  try {
    return await send(client, { abortSignal: access.signal });
  } catch (error) {
    throw error instanceof KMSServiceException ? faultOf(error, uri) : error;
  } finally {
    client.destroy();
  }
}

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
