import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { kubectl } from '../../hack/stack/stack.ts';
import type { SettingsInput } from '../../src/settings/settings-schema.ts';
import { EvidenceMaker } from './evidence-maker.ts';
import type { MakeOptions } from './evidence-maker.ts';
import type { PushedImage } from './images.ts';
import { pushImage } from './images.ts';
import type { KubeObject, WriteOutcome } from './kube-api.ts';
import { policiesPath, readRunbookPolicy, runbookPolicyFile } from './runbook-policy.ts';
import { openScene } from './scene.ts';
import type { Scene } from './scene.ts';
import { createCompletedRun, imageResults, waitUntilSigned } from './task-runs.ts';
import { trustRootObject, trustRootsPath } from './trust-root.ts';
import { waitFor } from './waiting.ts';
import { createConfigurations, removeLeftConfigurations, testSelector } from './webhook-configurations.ts';
import { WebhookProcess } from './webhook-process.ts';
import type { WebhookOptions } from './webhook-process.ts';

/** A cluster that enforces the runbook's policy, for tests of one file. */
export interface AdmissionScene extends Scene {
  readonly webhook: WebhookProcess;
  /** Name of the policy in force. */
  readonly policy: string;
  /** Name of the TrustRoot that counts where a policy names none. */
  readonly trustRoot: string;
  /** Labels of policies that are checked when they are applied. */
  readonly checked: Readonly<Record<string, string>>;
  /** A namespace labelled `sigstore-policy: enforce`. */
  readonly enforced: string;
  /** `HOST/PATH` of a repository that the policy is about. */
  readonly repository: string;
  readonly maker: EvidenceMaker;
  readonly push: () => Promise<PushedImage>;
  /** An image that our controller signed and attested. */
  readonly built: (name: string) => Promise<PushedImage>;
  /** An image with evidence that cosign made. */
  readonly made: (options: MakeOptions) => Promise<PushedImage>;
  /** Starts one more replica of the webhook, which nobody asks about Pods. */
  readonly anotherWebhook: () => Promise<WebhookProcess>;
  /** Creates a policy of the test's own and waits until the webhook judges by it; it goes with the scene. */
  readonly applyPolicy: (policy: unknown) => Promise<KubeObject>;
  /** Deletes such a policy, and waits until the webhook knows. */
  readonly removePolicy: (name: string) => Promise<void>;
  /** Creates a Pod in a namespace, by default the enforced one. */
  readonly createPod: (images: string | PodImages, namespace?: string) => Promise<WriteOutcome>;
}

/** What a Pod of a test runs. */
export interface PodImages {
  readonly image: string;
  readonly name?: string;
  readonly initImage?: string;
  readonly volumeImage?: string;
  readonly dryRun?: boolean;
}

/** How a scene is furnished. */
export interface SceneOptions {
  readonly settings?: SettingsInput;
  /** Where the webhook's settings come from; a file if absent. */
  readonly source?: 'file' | 'object';
  /** Laid over them, given the namespace that is going to be enforced. */
  readonly settingsFor?: (enforced: string) => SettingsInput;
  /** Of the webhook's process, besides the usual. */
  readonly env?: Readonly<Record<string, string>>;
  /** Applies the runbook's file as it is, for all images of golem-trust; else the same policy for the scene's own. */
  readonly asWritten?: boolean;
}

/**
 * Opens the stack, starts controller and webhook, applies the runbook's policy and labels a namespace. The default
 * TrustRoot of the settings is the stack's.
 */
export async function openAdmissionScene(label: string, options: SceneOptions = {}): Promise<AdmissionScene> {
  const scene = await openScene();
  const parts = new AsyncDisposableStack();
  parts.use(scene);
  try {
    return await furnish(scene, parts, { name: `${label}-${randomBytes(3).toString('hex')}`, ...options });
  } catch (error) {
    await parts.disposeAsync();
    throw error;
  }
}

/** Applies the policy of a scene, and gives its name. */
async function applyScenePolicy(
  { api }: Scene,
  { name, repository, asWritten }: { name: string; repository: string; asWritten: boolean },
): Promise<string> {
  const policy = await readRunbookPolicy();
  if (asWritten) {
    await kubectl(['apply', '-f', fileURLToPath(runbookPolicyFile)]);
    return policy.metadata.name;
  }
  policy.metadata.name = name;
  policy.spec.images = [{ glob: `${repository}**` }];
  await api.create(policiesPath, policy);
  return name;
}

async function furnish(
  scene: Scene,
  parts: AsyncDisposableStack,
  {
    name,
    settings = {},
    settingsFor,
    source = 'file',
    env = {},
    asWritten = false,
  }: SceneOptions & { readonly name: string },
): Promise<AdmissionScene> {
  const { stack, api, registry } = scene;
  const repository = `${stack.registry}/${name}`;
  await removeLeftConfigurations(api);
  await api.create(trustRootsPath, await trustRootObject(stack, name));
  parts.defer(() => api.delete(`${trustRootsPath}/${name}`));
  const policyName = await applyScenePolicy(scene, { name, repository, asWritten });
  parts.defer(() => api.delete(`${policiesPath}/${policyName}`));
  const enforced = await scene.namespace('production');
  const webhookOptions: WebhookOptions = {
    ...{ stack, api, webhookName: name, certificate: 'kept', source, env },
    settings: { ...settings, ...settingsFor?.(enforced), trustedRoot: { trustRootRef: name } },
  };
  const webhook = parts.use(await WebhookProcess.start(webhookOptions));
  const builds = await scene.namespace('builds');
  await scene.controller([builds]);
  await api.mergePatch(`/api/v1/namespaces/${enforced}`, { metadata: { labels: testSelector(name) } });
  await kubectl(['label', 'namespace', enforced, 'sigstore-policy=enforce']);
  parts.use(await createConfigurations(api, { name, origin: webhook.origin }));
  const push = (): Promise<PushedImage> => pushImage(registry, repository);
  const maker = new EvidenceMaker(stack, scene.judges);
  const createPod: AdmissionScene['createPod'] = (images, namespace = enforced) => {
    const pod = typeof images === 'string' ? { image: images } : images;
    const query = pod.dryRun === true ? '?dryRun=All' : '';
    return api.attempt(() => api.create(`/api/v1/namespaces/${namespace}/pods${query}`, podOf(pod)));
  };
  await untilEnforced(createPod, policyName, (await push()).ref);
  return {
    ...scene,
    ...{
      webhook,
      policy: policyName,
      trustRoot: name,
      checked: testSelector(name),
      enforced,
      repository,
      maker,
      push,
      createPod,
    },
    anotherWebhook: () => WebhookProcess.start({ ...webhookOptions, beside: webhook }),
    built: async (run) => {
      const image = await push();
      await createCompletedRun(api, { namespace: builds, name: run, results: imageResults(image) });
      await waitUntilSigned(api, { namespace: builds, name: run });
      return image;
    },
    made: async (options) => {
      const image = await push();
      await maker.make(image.ref, options);
      return image;
    },
    applyPolicy: async (policy) => {
      const { metadata } = await api.create(policiesPath, policy);
      const path = `${policiesPath}/${metadata.name}`;
      parts.defer(() => api.delete(path));
      return waitFor(async () => judged(await api.get<Judged>(path)), {
        what: `${metadata.name} being judged by`,
        timeoutMs: 60_000,
      });
    },
    removePolicy: async (policy) => {
      await api.delete(`${policiesPath}/${policy}`);
      await waitFor(
        async () => ((await api.find(`${policiesPath}/${policy}`)) === undefined ? true : undefined),
        {
          what: `${policy} being gone`,
          timeoutMs: 60_000,
        },
      );
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

interface Judged extends KubeObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

function judged(policy: Judged): Judged | undefined {
  const ready = policy.status?.conditions?.find(({ type }) => type === 'Ready');
  return ready === undefined || ready.status === 'Unknown' ? undefined : policy;
}

/** The API server takes a moment to know of new configurations, and to trust the webhook's certificate. */
async function untilEnforced(
  createPod: AdmissionScene['createPod'],
  policy: string,
  unsigned: string,
): Promise<void> {
  await waitFor(
    async () => {
      const { refusal } = await createPod({ image: unsigned, dryRun: true });
      return refusal?.message.includes(policy) === true ? true : undefined;
    },
    { what: 'the policy being enforced', timeoutMs: 60_000 },
  );
}

/** A Pod as a user would write it. */
export function podOf({ image, name, initImage, volumeImage }: PodImages): object {
  const volumes =
    volumeImage === undefined
      ? []
      : [{ name: 'data', image: { reference: volumeImage, pullPolicy: 'Always' } }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: name ?? `pod-${randomBytes(4).toString('hex')}`, labels: { app: 'example-service' } },
    spec: {
      serviceAccountName: 'default',
      containers: [{ name: 'app', image }],
      ...(initImage === undefined ? {} : { initContainers: [{ name: 'init', image: initImage }] }),
      volumes,
    },
  };
}

/** A Deployment as a user would write it. */
export function deploymentOf(name: string, image: string, replicas = 3): object {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'app', image }] } },
    },
  };
}
