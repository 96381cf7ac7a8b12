import { AppError } from '../../model/errors.ts';
import { isRecord } from '../../kube/kube-object.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import type { KeyMaterial } from '../../signing/key-signer.ts';
import { isKmsAddress, openKmsKeys } from '../../signing/kms/kms-keys.ts';
import type { KmsKeys } from '../../signing/kms/kms-keys.ts';
import type { Environment } from './cluster.ts';
import { Dispatchers } from './dispatchers.ts';
import { readInput } from './input-file.ts';
import { trustedFilesOf } from './process-log.ts';

/** What reading a key takes. */
export interface KeyReading {
  readonly environment: Environment;
  readonly signal: AbortSignal;
}

const secretScheme = 'k8s://';
const otherScheme = /^[a-z][a-z0-9+.-]*:\/\//i;

/**
 * The private key that cosign's `--key` names: a file, with its password in COSIGN_PASSWORD, or `k8s://NAMESPACE/NAME`, a
 * Secret with cosign.key and cosign.password, or x509.pem. Throws ERR_USAGE_KEY, ERR_USAGE_FILE, ERR_KUBE_*.
 */
export async function readPrivateKey(reference: string, options: KeyReading): Promise<KeyMaterial> {
  const password = options.environment['COSIGN_PASSWORD'];
  if (!isSecret(reference)) {
    const pem = await readInput(reference, options);
    return password === undefined ? { pem } : { pem, password };
  }
  const secret = await readSecret(reference, options);
  const plain = secret('x509.pem');
  if (plain !== undefined) return { pem: plain };
  const pem = secret('cosign.key');
  if (pem === undefined) throw keyFault(`${reference} holds no private key`);
  return { pem, password: password ?? secret('cosign.password')?.trimEnd() ?? '' };
}

/**
 * The public key that cosign's `--key` names when it verifies: a PEM file, the cosign.pub of a Secret, or a key in a KMS. Throws
 * as {@link readPrivateKey}, ERR_KMS_*.
 */
export async function readPublicKeyPem(reference: string, options: KeyReading): Promise<string> {
  if (isKmsAddress(reference)) {
    await using closing = new AsyncDisposableStack();
    return await (await openKms({ ...options, closing })).find(reference, options);
  }
  if (!isSecret(reference)) return readInput(reference, options);
  const pem = (await readSecret(reference, options))('cosign.pub');
  if (pem === undefined) throw keyFault(`${reference} holds no cosign.pub`);
  return pem;
}

/** The way to KMSs with the authorities of the environment; `closing` takes its connections. Throws ERR_SETTINGS_CA_FILE. */
export async function openKms({
  environment,
  closing,
}: Pick<KeyReading, 'environment'> & { readonly closing: AsyncDisposableStack }): Promise<KmsKeys> {
  const dispatchers = closing.use(await Dispatchers.open({ caFiles: trustedFilesOf(environment) }));
  // No host has a trust of its own here.
  return openKmsKeys({ dispatcher: dispatchers.for(''), environment });
}

function isSecret(reference: string): boolean {
  if (reference.startsWith(secretScheme)) return true;
  if (otherScheme.test(reference))
    throw keyFault(`"${reference.slice(0, 200)}" names no key that is read here`);
  return false;
}

async function readSecret(
  reference: string,
  { environment, signal }: KeyReading,
): Promise<(key: string) => string | undefined> {
  const [namespace = '', name = '', ...more] = reference.slice(secretScheme.length).split('/');
  if (namespace === '' || name === '' || more.length > 0) {
    throw keyFault(`"${reference.slice(0, 200)}" is no k8s://NAMESPACE/NAME`);
  }
  // Only who names a Secret has to carry the cluster's client.
  const [{ openCluster }, { KubeClient }, { resourceTypes }] = await Promise.all([
    import('./cluster.ts'),
    import('../../kube/kube-client.ts'),
    import('../../kube/resource-type.ts'),
  ]);
  const access = await openCluster(environment, systemClock, { signal });
  await using closing = new AsyncDisposableStack();
  const client = closing.use(new KubeClient({ access, clock: systemClock }));
  const object = await client.get(resourceTypes.secrets, { namespace, name }, { signal });
  const data = isRecord(object['data']) ? object['data'] : {};
  return (key) => {
    const value = data[key];
    return typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : undefined;
  };
}

function keyFault(message: string): AppError {
  return new AppError('ERR_USAGE_KEY', message, {
    kind: 'permanent',
    remedy:
      'Name a PEM file, a Secret as k8s://NAMESPACE/NAME with cosign.key and cosign.password, or awskms://, azurekms://, gcpkms:// or hashivault://.',
  });
}
