import { expect } from 'chai';
import { pushImage } from '../support/images.ts';
import type { PushedImage } from '../support/images.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { createCompletedRun, imageResults, waitForMarks, waitUntilSigned } from '../support/task-runs.ts';

const withinMs = 60_000;

describe('registry credentials', () => {
  let scene: Scene;
  let namespace: string;
  let image: PushedImage;

  before(async () => {
    scene = await openScene();
    namespace = await scene.namespace('credentials');
    // The controller itself has none.
    const settings = { controller: { retry: { base: '500ms', max: '2s' } } };
    await scene.controller([namespace], { settings, env: { DOCKER_CONFIG: '/nonexistent' } });
    image = await pushImage(scene.registry, `${scene.stack.registry}/credentials`);
  });

  after(async () => {
    await scene[Symbol.asyncDispose]();
  });

  const createAccount = async (name: string, references: object): Promise<void> => {
    await scene.api.create(`/api/v1/namespaces/${namespace}/serviceaccounts`, {
      metadata: { name },
      ...references,
    });
  };
  const createSecret = async (name: string, account: { user: string; password: string }): Promise<void> => {
    const host = scene.stack.registry.split('/')[0] ?? '';
    const auth = Buffer.from(`${account.user}:${account.password}`).toString('base64');
    await scene.api.create(`/api/v1/namespaces/${namespace}/secrets`, {
      metadata: { name },
      type: 'kubernetes.io/dockerconfigjson',
      stringData: { '.dockerconfigjson': JSON.stringify({ auths: { [host]: { auth } } }) },
    });
  };
  const createRun = async (name: string, serviceAccountName: string): Promise<void> => {
    const own = await pushImage(scene.registry, image.repository);
    await createCompletedRun(scene.api, { namespace, name, serviceAccountName, results: imageResults(own) });
  };

  it("of a robot account come from the imagePullSecrets of the run's ServiceAccount", async () => {
    await createSecret('robot-pull', scene.stack.robot);
    await createAccount('with-pull-secret', { imagePullSecrets: [{ name: 'robot-pull' }] });
    await createRun('pull', 'with-pull-secret');
    await waitUntilSigned(scene.api, { namespace, name: 'pull' }, withinMs);
  });

  it("of a robot account come from the secrets of the run's ServiceAccount", async () => {
    await createSecret('robot-secret', scene.stack.robot);
    await createAccount('with-secret', { secrets: [{ name: 'robot-secret' }] });
    await createRun('secret', 'with-secret');
    await waitUntilSigned(scene.api, { namespace, name: 'secret' }, withinMs);
  });

  it('that are missing give a clear error, and the run is signed by itself once the Secret is there', async () => {
    await createAccount('waiting', { imagePullSecrets: [{ name: 'robot-later' }] });
    await createRun('late', 'waiting');
    const run = { namespace, name: 'late' };
    const delayed = await waitForMarks(scene.api, run, ({ error }) => error !== undefined, {
      what: 'its error',
      timeoutMs: withinMs,
    });
    expect(delayed.error).to.match(/^ERR_REGISTRY_\w+: /);
    expect(delayed.error).to.include(image.repository);
    expect(delayed.signed).to.be.undefined;
    await createSecret('robot-later', scene.stack.robot);
    // What a ServiceAccount holds is remembered for half a minute.
    const signed = await waitUntilSigned(scene.api, run, 30_000 + withinMs);
    expect(signed.error).to.be.undefined;
  });

  it('that may only read give a clear error, not a failure', async () => {
    await createSecret('reader', scene.stack.reader);
    await createAccount('reader', { imagePullSecrets: [{ name: 'reader' }] });
    await createRun('reading', 'reader');
    const run = { namespace, name: 'reading' };
    const delayed = await waitForMarks(scene.api, run, ({ error }) => error !== undefined, {
      what: 'its error',
      timeoutMs: withinMs,
    });
    expect(delayed.error).to.match(/^ERR_REGISTRY_\w+: /);
    expect(delayed.signed).to.be.undefined;
  });
});
