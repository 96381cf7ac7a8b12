import { access, readFile } from 'node:fs/promises';
import { AppError, messageOf } from '../../model/errors.ts';
import type { Clock } from '../../model/clock.ts';
import type { Signer } from '../../model/signature.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { isRecord } from '../../kube/kube-object.ts';
import { resourceTypes } from '../../kube/resource-type.ts';
import { createServiceAccountTokenSource } from '../../kube/service-account-token.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { createFulcioClient } from '../../signing/fulcio-client.ts';
import type { FulcioClient } from '../../signing/fulcio-client.ts';
import {
  createFileTokenSource,
  createRequestTokenSource,
  createStaticTokenSource,
  readTokenClaims,
} from '../../signing/identity-token.ts';
import type { IdentityTokenSource } from '../../signing/identity-token.ts';
import { createKeySigner } from '../../signing/key-signer.ts';
import type { KeyMaterial } from '../../signing/key-signer.ts';
import { KeylessSigner } from '../../signing/keyless-signer.ts';
import type { Dispatchers } from './dispatchers.ts';
import type { SigningServices } from './signing-services.ts';

/** Secrets that the command line or the environment gave; they stand before those that the settings name. */
export interface GivenSecrets {
  /** An identity token itself, where `--identity-token` named no file. */
  readonly identityToken?: string | undefined;
  /** Password of the private key (COSIGN_PASSWORD). */
  readonly keyPassword?: string | undefined;
}

/** What a signer may need. */
export interface SignerParts {
  readonly settings: Settings;
  readonly services: SigningServices;
  readonly dispatchers: Dispatchers;
  readonly clock: Clock;
  /** Absent without a cluster: then tokens and keys come from files. */
  readonly client?: KubeClient;
  /** The ServiceAccount that tokens are requested for where none is mounted. */
  readonly account?: { readonly namespace: string; readonly name: string };
  readonly secrets?: GivenSecrets;
  readonly signal: AbortSignal;
}

/** Makes the signer that the settings name. Throws ERR_SETTINGS_SIGNER, ERR_KEY_*, and what reading the key throws. */
export async function createSigner(parts: SignerParts): Promise<Signer> {
  const { signer } = parts.settings;
  if (signer.type === 'none') {
    throw new AppError('ERR_SETTINGS_SIGNER', 'signer.type is none, so nothing would be signed', {
      kind: 'permanent',
      remedy: 'Set signer.type to keyless or key, or stop the controller.',
    });
  }
  return signer.type === 'key' ? createKeySigner(await readKey(parts)) : createKeyless(parts);
}

async function createKeyless(parts: SignerParts): Promise<Signer> {
  const { issuer } = parts.settings.signer.fulcio;
  const { services, dispatchers, clock } = parts;
  const fulcio: FulcioClient = {
    issue: async (ask, options) => {
      const url = await services.fulcioUrl(options);
      const client = createFulcioClient({ url, dispatcher: dispatchers.for(new URL(url).host), clock });
      return client.issue(ask, options);
    },
  };
  const tokens = await tokenSource(parts);
  return new KeylessSigner({
    fulcio,
    tokens: issuer === undefined ? tokens : onlyOfIssuer(tokens, issuer),
    clock: parts.clock,
  });
}

/** Where the identity token comes from: what was given, the mounted file, else a request to the API server. */
export async function tokenSource(
  parts: Pick<SignerParts, 'settings' | 'client' | 'clock' | 'secrets' | 'account'>,
): Promise<IdentityTokenSource> {
  const { identityTokenFile, audience, serviceAccount } = parts.settings.signer.fulcio;
  const { client, clock, secrets } = parts;
  const account = serviceAccount ?? parts.account;
  if (secrets?.identityToken !== undefined) return createStaticTokenSource(secrets.identityToken, clock);
  const isFileMeant = serviceAccount === undefined && (await isReadable(identityTokenFile));
  if (client === undefined || account === undefined || isFileMeant) {
    return createFileTokenSource(identityTokenFile, clock);
  }
  const { namespace, name } = account;
  const request = createServiceAccountTokenSource({
    client,
    namespace,
    serviceAccount: name,
    audience,
    clock,
  });
  return createRequestTokenSource(request, clock);
}

/** A token of another issuer than the settings name never leaves this process. */
function onlyOfIssuer(tokens: IdentityTokenSource, issuer: string): IdentityTokenSource {
  return {
    fetch: async (options) => {
      const token = await tokens.fetch(options);
      const found = readTokenClaims(token).issuer;
      if (found === issuer) return token;
      throw new AppError('ERR_IDENTITY_TOKEN_ISSUER', `the identity token is of ${found}, not of ${issuer}`, {
        kind: 'passing',
        remedy: 'Correct signer.fulcio.issuer, or mount a token of that issuer.',
      });
    },
  };
}

async function isReadable(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

async function readKey(parts: SignerParts): Promise<KeyMaterial> {
  const { file, passwordFile, secret } = parts.settings.signer.key;
  if (file !== undefined) {
    const password =
      parts.secrets?.keyPassword ??
      (passwordFile === undefined ? undefined : await readSecretFile(passwordFile));
    return {
      pem: await readSecretFile(file),
      ...(password === undefined ? {} : { password: password.trimEnd() }),
    };
  }
  if (parts.client === undefined || secret === undefined) {
    throw new AppError('ERR_SETTINGS_SIGNER', 'signer.type is key, and no key file is named', {
      kind: 'permanent',
      remedy: 'Name the private key in signer.key.file.',
    });
  }
  return readKeySecret(parts.client, secret, parts.signal);
}

async function readKeySecret(
  client: KubeClient,
  secret: { readonly namespace: string; readonly name: string },
  signal: AbortSignal,
): Promise<KeyMaterial> {
  const object = await client.get(resourceTypes.secrets, secret, { signal });
  const data = isRecord(object['data']) ? object['data'] : {};
  const text = (key: string) =>
    typeof data[key] === 'string' ? Buffer.from(data[key], 'base64').toString('utf8') : undefined;
  const plain = text('x509.pem');
  if (plain !== undefined) return { pem: plain };
  const encrypted = text('cosign.key');
  if (encrypted !== undefined) return { pem: encrypted, password: text('cosign.password')?.trimEnd() ?? '' };
  const name = `${secret.namespace}/${secret.name}`;
  throw new AppError('ERR_SETTINGS_SIGNER', `Secret ${name} holds no private key`, {
    kind: 'permanent',
    object: name,
    remedy: 'Put the key under x509.pem, or under cosign.key with cosign.password.',
  });
}

async function readSecretFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new AppError('ERR_SETTINGS_SIGNER', `cannot read ${file}: ${messageOf(error)}`, {
      kind: 'permanent',
      object: file,
      remedy: 'Make the key files readable for the controller.',
    });
  }
}
