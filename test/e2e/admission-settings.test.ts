import { expect } from 'chai';
import type { AdmissionScene } from '../support/admission-scene.ts';
import { openAdmissionScene } from '../support/admission-scene.ts';
import type { PushedImage } from '../support/images.ts';
import { settingsPath } from '../support/live-settings.ts';
import type { ObjectWithStatus } from '../support/live-settings.ts';
import { waitFor } from '../support/waiting.ts';

describe('settings of a cluster, followed by the webhook', () => {
  let scene: AdmissionScene;
  let image: PushedImage;
  let tag: string;

  before(async () => {
    scene = await openAdmissionScene('live', { source: 'object' });
    image = await scene.built('live');
    tag = `${image.repository}:live`;
    const manifest = await scene.registry.findManifest(image.repository, image.digest);
    const type = 'application/vnd.oci.image.manifest.v1+json';
    await scene.registry.putManifest(image.repository, manifest ?? Buffer.alloc(0), type, 'live');
  });

  after(async () => {
    await scene.webhook.stop();
    await scene.api.delete(settingsPath);
    await scene[Symbol.asyncDispose]();
  });

  const waitForWebhook = async (wanted: string): Promise<string> =>
    waitFor(
      async () => {
        const { status, metadata } = await scene.api.get<
          ObjectWithStatus & { metadata: { generation: number } }
        >(settingsPath);
        const found = status?.conditions?.find(({ type }) => type === 'WebhookReady');
        const isCurrent = status?.observedGeneration === metadata.generation;
        return isCurrent && found !== undefined && `${found.status} ${found.reason}` === wanted
          ? found.message
          : undefined;
      },
      { what: `WebhookReady ${wanted}`, timeoutMs: 120_000 },
    );

  it('take effect without a restart, and those that cannot be used change nothing', async () => {
    const { pid } = scene.webhook;
    await waitForWebhook('True InForce');
    expect((await scene.createPod(tag)).refusal).to.equal(undefined);

    await scene.api.mergePatch(settingsPath, { spec: { webhook: { resolveTags: false } } });
    await waitForWebhook('True InForce');
    expect((await scene.createPod(tag)).refusal?.message).to.include('Name the image by its digest');

    const host = new URL(`https://${image.repository}`).host;
    const registries = [{ host, ca: { kind: 'ConfigMap', name: 'absent' } }];
    await scene.api.mergePatch(settingsPath, { spec: { registries, webhook: { resolveTags: true } } });
    expect(await waitForWebhook('False Unusable')).to.match(/absent.* before stay in force/s);
    expect((await scene.createPod(image.ref)).refusal).to.equal(undefined);
    expect((await scene.createPod(tag)).refusal?.message).to.include('Name the image by its digest');

    // It is looked for once a minute.
    await scene.api.create(`/api/v1/namespaces/${scene.webhook.namespace}/configmaps`, {
      metadata: { name: 'absent' },
      data: { 'ca.crt': scene.webhook.authority },
    });
    await waitForWebhook('True InForce');
    expect((await scene.createPod(tag)).refusal).to.equal(undefined);

    await scene.api.mergePatch(settingsPath, { spec: { registries: null } });
    await waitForWebhook('True InForce');
    expect((await scene.createPod(tag)).refusal).to.equal(undefined);
    expect(scene.webhook.pid).to.equal(pid);
  });
});
