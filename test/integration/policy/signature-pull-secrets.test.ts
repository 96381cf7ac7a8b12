import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openWorkloadStores } from '../../../src/commands/webhook/workload-stores.ts';
import { createRegistries } from '../../../src/commands/wiring/attestation.ts';
import { Dispatchers } from '../../../src/commands/wiring/dispatchers.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import { openKubeconfigAccess } from '../../../src/kube/kubeconfig-access.ts';
import { PullSecretSource } from '../../../src/kube/pull-secrets.ts';
import { parseDigest } from '../../../src/model/digest.ts';
import { parseRepository } from '../../../src/model/image-reference.ts';
import { silentLog } from '../../../src/model/log.ts';
import { parseClusterImagePolicy } from '../../../src/policy/cluster-image-policy.ts';
import { explainFully } from '../../../src/policy/explanation.ts';
import { judgeImage } from '../../../src/policy/image-judge.ts';
import { compileClusterPolicy } from '../../../src/policy/policy-compiler.ts';
import { anonymousSource } from '../../../src/registry/credentials.ts';
import { resolveSettings } from '../../../src/settings/resolution.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { pushImage } from '../../support/images.ts';
import type { PushedImage } from '../../support/images.ts';
import { openScene } from '../../support/scene.ts';
import type { Scene } from '../../support/scene.ts';

describe('signaturePullSecrets, at a registry that tells strangers nothing', function () {
  const parts = new AsyncDisposableStack();
  let scene: Scene;
  let namespace: string;
  let image: PushedImage;
  let publicPem: string;

  before(async () => {
    scene = parts.use(await openScene());
    namespace = await scene.namespace('pull-secrets');
    const { stack, registry, judges } = scene;
    image = await pushImage(registry, `${stack.registry}/pull-secrets`);
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-secrets-'));
    parts.defer(() => rm(folder, { recursive: true }));
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    publicPem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
    const prefix = join(folder, 'key');
    await writeFile(`${prefix}.pem`, privateKey.export({ format: 'pem', type: 'pkcs8' }));
    const tagLayout = ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false'];
    for (const args of [
      ['import-key-pair', '--yes', '--key', `${prefix}.pem`, '--output-key-prefix', prefix],
      ['sign', '--yes', '--key', `${prefix}.key`, ...tagLayout, image.ref],
    ]) {
      const { code, stderr } = await judges.cosign(args, { COSIGN_PASSWORD: 'lab' });
      expect(code, stderr).to.equal(0);
    }
    await putSecret('reader', stack.reader);
    await putSecret('stranger', { user: 'somebody', password: 'wrong' });
  });
  after(() => parts.disposeAsync());

  const putSecret = async (
    name: string,
    { user, password }: { readonly user: string; readonly password: string },
  ): Promise<void> => {
    const auth = Buffer.from(`${user}:${password}`).toString('base64');
    const [host = ''] = scene.stack.registry.split('/');
    await scene.api.create(`/api/v1/namespaces/${namespace}/secrets`, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name },
      type: 'kubernetes.io/dockerconfigjson',
      stringData: { '.dockerconfigjson': JSON.stringify({ auths: { [host]: { auth } } }) },
    });
  };
  /** Judges as the webhook does for a Pod without credentials of its own. */
  const judge = async (...signaturePullSecrets: readonly string[]): Promise<string> => {
    await using closing = new AsyncDisposableStack();
    const signal = AbortSignal.timeout(120_000);
    const clock = systemClock;
    const access = await openKubeconfigAccess({ paths: [scene.stack.kubeconfig], clock }, { signal });
    const client = closing.use(new KubeClient({ access, clock }));
    const dispatchers = closing.use(await Dispatchers.open({ caFiles: [scene.stack.ca] }));
    const stores = openWorkloadStores({
      registries: createRegistries(resolveSettings({}).settings, dispatchers, clock),
      pullSecrets: new PullSecretSource({ client }),
      ownCredentials: anonymousSource,
      metrics: { cacheAsked: () => undefined },
      log: silentLog,
    });
    const source = [{ signaturePullSecrets: signaturePullSecrets.map((name) => ({ name })) }];
    const policy = parseClusterImagePolicy(
      {
        apiVersion: 'policy.sigstore.dev/v1beta1',
        kind: 'ClusterImagePolicy',
        metadata: { name: 'secrets' },
        spec: {
          images: [{ glob: '**' }],
          authorities: [{ key: { data: publicPem }, signatureFormat: 'legacy', source }],
        },
      },
      'tekton-chains',
    );
    const none = (): Promise<never> => Promise.reject(new Error('nothing is referred to'));
    const references = {
      findTrustRoot: none,
      ...{ findSecret: none, findConfigMapEntry: none, fetchRemotePolicy: none, findKmsKey: none },
    };
    const compiled = await compileClusterPolicy(policy, { engine: { compile: none }, references, signal });
    const judgement = await judgeImage(
      {
        image: image.ref,
        pinned: { repository: parseRepository(image.repository), digest: parseDigest(image.digest) },
        workload: { group: '', version: 'v1', resource: 'pods', labels: {} },
        object: {},
      },
      [compiled],
      {
        store: stores.forWorkload({ namespace, serviceAccount: 'default', pullSecrets: [] }),
        storeFor: (names) => stores.forSecrets(namespace, names, { signal }),
        mediaTypeOf: () => Promise.resolve(undefined),
        clock,
        noMatch: 'deny',
        signal,
      },
    );
    return judgement.outcome === 'admitted' ? 'admitted' : explainFully(judgement);
  };
  const refusalOf = (...names: readonly string[]): Promise<string> =>
    judge(...names).catch((error: unknown) => String(error));

  it('reads signatures with the account in the Secret alone', async () => {
    expect(await refusalOf(), 'with no Secret').to.match(/credentials|denied|unauthorized/i);
    expect(await refusalOf('stranger')).not.to.equal('admitted');
    expect(await judge('reader')).to.equal('admitted');
    expect(await judge('reader', 'stranger'), 'one of several').to.equal('admitted');
  });

  it('names a Secret that is not in the Pod’s namespace', async () => {
    expect(await judge('absent'))
      .to.include('signaturePullSecrets')
      .and.to.include('absent');
  });
});
