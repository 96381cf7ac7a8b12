import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCountingFront } from '../../hack/bench/counting-front.ts';
import type { CountingFront } from '../../hack/bench/counting-front.ts';
import { openStack } from '../../hack/stack/stack.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import type { ImpactReport } from '../../src/commands/policy/impact/impact-report.ts';
import type { SettingsInput } from '../../src/settings/settings-schema.ts';
import { runCli } from '../integration/commands/cli.ts';
import { openAdmissionScene } from './admission-scene.ts';
import type { AdmissionScene } from './admission-scene.ts';
import type { MakeOptions } from './evidence-maker.ts';
import { pushImage } from './images.ts';
import type { PushedImage } from './images.ts';
import type { KubeObject } from './kube-api.ts';
import { policiesPath, readRunbookPolicy } from './runbook-policy.ts';
import { testSelector } from './webhook-configurations.ts';

/** Evidence that images of the scene have: what lacks nothing, and what lacks or breaks one thing. */
export type EvidenceCase =
  'complete' | 'second-log' | 'unsigned' | 'signature-only' | 'no-sbom' | 'other-builder' | 'stranger';

/** A Pod that runs since before its policy. */
export interface RunningCase {
  readonly name: string;
  readonly evidence: EvidenceCase;
  /** As the Pod has it: by digest, or by a tag that means another image since. */
  readonly image: string;
  /** What it runs: `HOST/PATH@sha256:…`. */
  readonly runs: string;
}

/** Pods of mixed evidence in a namespace that came to be enforced after they were there. */
export interface RunningScene extends AsyncDisposable {
  readonly admission: AdmissionScene;
  readonly namespace: string;
  /** Name of the policy about the Pods' images; not there before `applyPolicy`. */
  readonly policy: string;
  readonly pods: readonly RunningCase[];
  /** Counts requests to the registry for the Pods' images. */
  readonly front: CountingFront;
  /** What the impact of that policy would be, with `args` more; throws if the command cannot tell. */
  readonly impact: (...args: readonly string[]) => Promise<ImpactReport>;
  /** Applies the runbook's policy for the Pods' images, or changes its mode. */
  readonly applyPolicy: (mode: 'warn' | 'enforce') => Promise<void>;
}

/** How the scene is furnished. */
export interface RunningSceneOptions {
  readonly pods: number;
  readonly settings?: SettingsInput;
}

/** What the policy says of each kind of evidence. */
export const isAdmitted: Readonly<Record<EvidenceCase, boolean>> = {
  complete: true,
  'second-log': true,
  unsigned: false,
  'signature-only': false,
  'no-sbom': false,
  'other-builder': false,
  stranger: false,
};

const cases = Object.keys(isAdmitted) as EvidenceCase[];

/** Opens an admission scene with running Pods: their images are pushed past a registry front that counts requests. */
export async function openRunningScene(label: string, options: RunningSceneOptions): Promise<RunningScene> {
  const parts = new AsyncDisposableStack();
  try {
    const stack = await openStack();
    const front = parts.use(await openCountingFront());
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-running-'));
    parts.defer(() => rm(folder, { recursive: true, force: true }));
    await writeCredentials(stack, front, folder);
    const admission = parts.use(
      await openAdmissionScene(label, { settings: options.settings ?? {}, env: { DOCKER_CONFIG: folder } }),
    );
    const policy = `${admission.policy}-running`;
    const repository = `${stack.registry}/${policy}`;
    const images = await makeImages(admission, repository);
    const namespace = await admission.namespace('shop');
    const seen = (ref: string): string => `${front.host}${ref.slice(ref.indexOf('/'))}`;
    const pods = await createPods(admission, { namespace, images, count: options.pods, seen });
    const labels = { ...testSelector(admission.trustRoot), 'sigstore-policy': 'enforce' };
    await admission.api.mergePatch(`/api/v1/namespaces/${namespace}`, { metadata: { labels } });
    const glob = `${seen(repository)}**`;
    const policyFile = join(folder, 'policy.json');
    await writeFile(policyFile, JSON.stringify(await policyOf({ name: policy, glob, mode: 'warn' })));
    let isThere = false;
    return {
      ...{ admission, namespace, policy, pods, front },
      impact: async (...args) => runImpact(stack, folder, [policyFile, '-n', namespace, ...args]),
      applyPolicy: async (mode) => {
        if (isThere) await admission.api.mergePatch(`${policiesPath}/${policy}`, { spec: { mode } });
        else await admission.applyPolicy(await policyOf({ name: policy, glob, mode }));
        isThere = true;
      },
      [Symbol.asyncDispose]: () => parts.disposeAsync(),
    };
  } catch (error) {
    await parts.disposeAsync();
    throw error;
  }
}

/** As a person would run it, with the account for the front. */
async function runImpact(stack: Stack, folder: string, args: readonly string[]): Promise<ImpactReport> {
  const given = ['policy', 'impact', '--trusted-root', stack.trustedRoot, '--output', 'json', '-f', ...args];
  const env = { KUBECONFIG: stack.kubeconfig, SSL_CERT_FILE: stack.ca, DOCKER_CONFIG: folder };
  const { stdout, stderr } = await runCli(given, { cwd: folder, env });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as ImpactReport;
}

/** The webhook has one account more: for the front. */
async function writeCredentials(stack: Stack, front: CountingFront, folder: string): Promise<void> {
  const usual = await readFile(join(stack.env['DOCKER_CONFIG'] ?? '', 'config.json'), 'utf8');
  const { auths } = JSON.parse(usual) as { readonly auths: Readonly<Record<string, object>> };
  const auth = Buffer.from(`${stack.robot.user}:${stack.robot.password}`).toString('base64');
  const config = { auths: { ...auths, [front.host]: { auth } } };
  await writeFile(join(folder, 'config.json'), JSON.stringify(config), { mode: 0o600 });
}

async function policyOf(options: { name: string; glob: string; mode: string }): Promise<object> {
  const { name, glob, mode } = options;
  const policy = await readRunbookPolicy();
  return { ...policy, metadata: { name }, spec: { ...policy.spec, images: [{ glob }], mode } };
}

async function makeImages(
  scene: AdmissionScene,
  repository: string,
): Promise<ReadonlyMap<EvidenceCase, PushedImage>> {
  const stranger = await scene.namespace('stranger');
  const evidence: Readonly<Record<EvidenceCase, MakeOptions | undefined>> = {
    complete: {},
    'second-log': { layout: 'referrer', log: 'rekor2' },
    unsigned: undefined,
    'signature-only': { kinds: ['signature'] },
    'no-sbom': { kinds: ['signature', 'provenance'] },
    'other-builder': { builderId: 'https://builder.example.com' },
    stranger: { account: { namespace: stranger, name: 'default' } },
  };
  const made = cases.map(async (name) => {
    const image = await pushImage(scene.registry, repository);
    const options = evidence[name];
    if (options !== undefined) await scene.maker.make(image.ref, options);
    return [name, image] as const;
  });
  return new Map(await Promise.all(made));
}

interface PodsToMake {
  readonly namespace: string;
  readonly images: ReadonlyMap<EvidenceCase, PushedImage>;
  readonly count: number;
  readonly seen: (ref: string) => string;
}

/** Pods of all kinds of evidence in turn. Those of the second round name tags, which afterwards mean another image. */
async function createPods(
  scene: AdmissionScene,
  { namespace, images, count, seen }: PodsToMake,
): Promise<readonly RunningCase[]> {
  const pods: RunningCase[] = [];
  for (let index = 0; index < count; index += 1) {
    const evidence = cases[index % cases.length] ?? 'unsigned';
    const image = images.get(evidence);
    if (image === undefined) throw new Error(`there is no image for ${evidence}`);
    const isTagged = Math.floor(index / cases.length) === 1;
    const named = isTagged ? `${image.repository}:${evidence}` : image.ref;
    pods.push({ name: `pod-${index}-${evidence}`, evidence, image: seen(named), runs: seen(image.ref) });
    if (isTagged) await moveTag(scene, { image, tag: evidence, to: images });
  }
  for (const pod of pods) await createRunningPod(scene, namespace, pod);
  return pods;
}

async function moveTag(
  { registry }: AdmissionScene,
  { image, tag, to }: { image: PushedImage; tag: EvidenceCase; to: PodsToMake['images'] },
): Promise<void> {
  // What is good comes to name something bad, and the other way round.
  const other = to.get(isAdmitted[tag] ? 'unsigned' : 'complete') ?? image;
  const manifest = await registry.findManifest(image.repository, other.digest);
  const type = 'application/vnd.oci.image.manifest.v1+json';
  await registry.putManifest(image.repository, manifest ?? Buffer.alloc(0), type, tag);
}

/** A Pod on a node, and what the kubelet says of it. */
export async function createRunningPod(
  { api }: Pick<AdmissionScene, 'api'>,
  namespace: string,
  pod: Pick<RunningCase, 'name' | 'image' | 'runs'> & { readonly metadata?: object },
): Promise<KubeObject> {
  const { name, image, runs, metadata = {} } = pod;
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const created = await api.create(path, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...metadata },
    spec: { nodeName: 'node-1', serviceAccountName: 'default', containers: [{ name: 'app', image }] },
  });
  const startedAt = new Date().toISOString();
  const status = {
    ...{ name: 'app', image, imageID: runs, ready: true, started: true, restartCount: 0 },
    state: { running: { startedAt } },
  };
  await api.mergePatch(`${path}/${name}/status`, {
    status: { phase: 'Running', containerStatuses: [status] },
  });
  return created;
}
