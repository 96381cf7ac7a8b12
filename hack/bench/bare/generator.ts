/**
 * A bare load generator: for each completed TaskRun it makes the calls that nobody could leave out who signs, attests
 * twice, logs three times and keeps a record, in the order that they depend on each other, and nothing else. It verifies
 * no answer, holds no run, tries nothing twice, and knows what every image looks like. How fast it is is how fast the
 * servers let anybody be.
 *
 *   node hack/bench/bare/generator.ts   (started by hack/bench/contenders.ts; writes `ready` to stdout)
 */
import { readFile } from 'node:fs/promises';
import PQueue from 'p-queue';
import { Agent } from 'undici';
import type { Digest } from '../../../src/model/digest.ts';
import type { RecordedLogEntry } from '../../../src/model/signing-record.ts';
import { toRecordObject } from '../../../src/settings/signing-record-object.ts';
import { evidenceTag } from '../../../test/support/attached-evidence.ts';
import { sha256 } from '../../../test/support/images.ts';
import { KubeApi } from '../../../test/support/kube-api.ts';
import type { KubeObject } from '../../../test/support/kube-api.ts';
import { RegistrySession } from '../../../test/support/registry-session.ts';
import { runPath } from '../../../test/support/task-runs.ts';
import { openStack } from '../../stack/stack.ts';
import { logArtifact, openBareKey, signImage, toRecorded } from './evidence.ts';
import type { BareArtifact, BareKey } from './evidence.ts';

// As ours by default.
const concurrency = 16;
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const layerTypes = {
  sig: 'application/vnd.dev.cosign.simplesigning.v1+json',
  att: 'application/vnd.dsse.envelope.v1+json',
} as const;

interface Ground {
  readonly api: KubeApi;
  readonly registry: RegistrySession;
  readonly dispatcher: Agent;
  readonly rekorUrl: string;
  readonly key: BareKey;
}

interface Image {
  readonly repository: string;
  readonly digest: Digest;
}

interface Layer {
  readonly artifact: BareArtifact;
  readonly annotations: Readonly<Record<string, string>>;
  readonly entry: RecordedLogEntry;
}

async function main(): Promise<void> {
  const stack = await openStack();
  const dispatcher = new Agent({ connections: 32, connect: { ca: await readFile(stack.ca) } });
  const key = await openBareKey(stack, dispatcher);
  await using api = await KubeApi.open(stack.kubeconfig);
  await using registry = await RegistrySession.open({ ca: stack.ca, account: stack.robot });
  const ground = { api, registry, dispatcher, rekorUrl: stack.rekorUrl, key };
  const queue = new PQueue({ concurrency });
  const seen = new Set<string>();
  const path = '/apis/tekton.dev/v1/taskruns';
  const { metadata } = await api.get<{ metadata: { resourceVersion: string } }>(`${path}?limit=1`);
  console.log('ready');
  const watch = `${path}?watch=1&timeoutSeconds=3600&resourceVersion=${metadata.resourceVersion}`;
  for await (const { object } of api.watch(watch, AbortSignal.timeout(3_600_000))) {
    const { uid = '' } = object.metadata;
    const image = imageOf(object);
    if (image === undefined || seen.has(uid)) continue;
    seen.add(uid);
    void queue.add(() => attest(object, image, ground));
  }
}

/** The image that a completed run says that it built. */
function imageOf({ status }: KubeObject): Image | undefined {
  const { completionTime, results = [] } = (status ?? {}) as {
    readonly completionTime?: string;
    readonly results?: readonly { readonly name: string; readonly value: string }[];
  };
  const valueOf = (name: string): string => results.find((result) => result.name === name)?.value ?? '';
  if (completionTime === undefined) return undefined;
  return { repository: valueOf('IMAGE_URL'), digest: valueOf('IMAGE_DIGEST') as Digest };
}

async function attest(run: KubeObject, image: Image, ground: Ground): Promise<void> {
  const { api, key } = ground;
  const { namespace = '', name, uid = '' } = run.metadata;
  const records = `/apis/chainwright.dev/v1alpha1/namespaces/${namespace}/signingrecords`;
  await readImage(image, ground);
  const artifacts = signImage(image, key);
  const record = { namespace, uid, run: { kind: 'TaskRun', name }, phase: 'Intended' } as const;
  const intended = artifacts.map((artifact) => toRecorded(artifact, image, key));
  const { metadata } = await api.create(records, toRecordObject({ ...record, artifacts: intended }));
  const logged = await Promise.all(
    artifacts.map(async (artifact) => ({ artifact, ...(await logArtifact(artifact, key, ground)) })),
  );
  const isSignature = ({ artifact }: Layer): boolean => artifact.kind === 'signature';
  const [sig, att] = await Promise.all([
    attach('sig', logged.filter(isSignature), image, ground),
    attach(
      'att',
      logged.filter((layer) => !isSignature(layer)),
      image,
      ground,
    ),
  ]);
  const reached = logged.map(({ artifact, entry }) =>
    toRecorded(artifact, image, key, { entry, ref: artifact.kind === 'signature' ? sig : att }),
  );
  const { resourceVersion: version = '' } = metadata;
  await api.replace(
    `${records}/${uid}`,
    toRecordObject({ ...record, version, phase: 'Complete', artifacts: reached }),
  );
  const annotations = { 'chains.tekton.dev/signed': 'true' };
  await api.mergePatch(runPath(namespace, name), { metadata: { annotations } });
}

/** What an SBOM is made from. */
async function readImage({ repository, digest }: Image, { registry }: Ground): Promise<void> {
  const manifest = await registry.findManifest(repository, digest);
  if (manifest === undefined) throw new Error(`${repository}@${digest} is not there`);
  const { config, layers } = JSON.parse(manifest.toString('utf8')) as {
    readonly config: { readonly digest: string };
    readonly layers: readonly { readonly digest: string }[];
  };
  await Promise.all([config, ...layers].map((blob) => registry.findBlob(repository, blob.digest)));
}

/** Puts layers under the image's tag, which must be asked for what is there; gives the reference. */
async function attach(
  suffix: 'sig' | 'att',
  layers: readonly Layer[],
  { repository, digest }: Image,
  { registry }: Ground,
): Promise<string> {
  const tag = evidenceTag(digest, suffix);
  if ((await registry.findManifest(repository, tag)) !== undefined) throw new Error(`${tag} is there`);
  const descriptors = layers.map(({ artifact, annotations }) => ({
    mediaType: layerTypes[suffix],
    digest: sha256(artifact.layer),
    size: artifact.layer.length,
    annotations,
  }));
  const diffIds = descriptors.map((layer) => layer.digest);
  const config = Buffer.from(
    JSON.stringify({ architecture: '', os: '', config: {}, rootfs: { type: 'layers', diff_ids: diffIds } }),
  );
  await Promise.all(
    [config, ...layers.map(({ artifact }) => artifact.layer)].map((bytes) =>
      registry.putBlob(repository, bytes),
    ),
  );
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: sha256(config),
      size: config.length,
    },
    layers: descriptors,
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  return `${repository}@${await registry.putManifest(repository, bytes, manifestType, tag)}`;
}

await main();
